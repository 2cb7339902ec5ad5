/** The platform's own `Request`, if the program has its type. See http/request/node-types.ts. */
import type { FetchRequest } from "../http/request/fetch-context.ts";

export type WebRequest = typeof globalThis extends {
  Request: { prototype: infer R extends FetchRequest };
}
  ? R
  : FetchRequest;

/** The platform's own `Request`, where the program has its type; see http/node-types.ts. */
import type { FetchRequest } from "../http/request/fetch-context.ts";

export type WebRequest = typeof globalThis extends {
  Request: { prototype: infer R extends FetchRequest };
}
  ? R
  : FetchRequest;

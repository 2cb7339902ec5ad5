/** Hono's types: the parts that are used, and Hono's own types where the program has them. */
import type { Context } from "../index.ts";
import type { FetchRequest } from "../http/request/fetch-context.ts";

/** The parts of Hono's context that are used. */
export interface HonoLike {
  readonly req: { readonly raw: FetchRequest; readonly method?: string };
  readonly env: unknown;
  readonly error: Error | undefined;
  res: Response;
  get(name: "ctx"): Context | undefined;
  set(name: "ctx", ctx: Context): void;
}

/** An unresolved type is assignable to every type, so a direct comparison would succeed wrongly. */
type IfKnown<T, Else> = { is: T } extends { is: { unresolved: never } } ? Else : T;

/* eslint-disable @typescript-eslint/ban-ts-comment, @typescript-eslint/consistent-type-imports -- an error only where the types are missing; on an import statement the comment would be lost */
/** @ts-ignore */
export type AppContext = IfKnown<import("hono").Context, HonoLike>;

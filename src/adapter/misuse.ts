/** What is wrong with the context that was passed, in words that say what to write instead. */
import { isContextError, type Context } from "../index.ts";

/**
 * Throws a TypeError unless `ctx` is a context. `call` is how the caller should have written it, as
 * "query(ctx, sql, values)".
 */
export function needContext(ctx: unknown, call: string): asserts ctx is Context {
  if (typeof (ctx as Partial<Context> | null | undefined)?.err === "function") return;
  const [name = call] = call.split("(");
  const got = typeof ctx === "string" ? "a string" : String(ctx);
  throw new TypeError(
    `${name} needs a Context as its first argument, got ${got}; write ${call} with the caller's ctx, or background() at the top of a program`,
  );
}

/** Throws a TypeError unless `fn` is a function; `call` as for `needContext`. */
export function needFunction(fn: unknown, call: string): void {
  if (typeof fn === "function") return;
  const [name = call] = call.split("(");
  throw new TypeError(`${name} needs a function to run, got ${String(fn)}; write ${call}`);
}

/** A stack that leads to the caller, and not to the socket. */
export function showCaller(error: unknown): never {
  if (error instanceof Error && !isContextError(error)) Error.captureStackTrace(error);
  throw error;
}

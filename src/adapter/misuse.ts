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

/**
 * Throws a TypeError unless these are options, and not the request or error that a framework calls
 * middleware with; `call` as for `needContext`.
 */
export function needOptions(options: unknown, call: string): void {
  const isObject = typeof options === "object" && options !== null;
  if (isObject && !("headers" in options) && !(options instanceof Error)) return;
  const got = isObject ? "a request: it is to be called when it is registered" : show(options);
  throw new TypeError(`${call} takes options in an object, got ${got}`);
}

/** What was passed, for messages. */
export function show(x: unknown): string {
  if (typeof x === "string") return `the string "${x.slice(0, 32)}"`;
  return typeof x === "object" && x !== null ? `a ${x.constructor?.name ?? "object"}` : String(x);
}

/** A stack that leads to the caller, and not to the socket. */
export function showCaller(error: unknown): never {
  if (error instanceof Error && !isContextError(error)) Error.captureStackTrace(error);
  throw error;
}

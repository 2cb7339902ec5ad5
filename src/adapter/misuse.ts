/** Errors for wrong arguments, which say what was passed and what to write instead. */
import { isContextError, type Context } from "../index.ts";
import { show } from "../internal.ts";

export { show } from "../internal.ts";

/**
 * Throws a TypeError unless `ctx` is a context. `call` is how to write the call, such as
 * "query(ctx, sql, values)".
 */
export function needContext(ctx: unknown, call: string): asserts ctx is Context {
  if (typeof (ctx as Partial<Context> | null | undefined)?.err === "function") return;
  const [name = call] = call.split("(");
  throw new TypeError(
    `${name} needs a Context as its first argument, got ${show(ctx)}; write ${call} with the caller's ctx, or background() at the top of a program`,
  );
}

/** Throws a TypeError unless `fn` is a function. `call` is as for `needContext`. */
export function needFunction(fn: unknown, call: string): void {
  if (typeof fn === "function") return;
  const [name = call] = call.split("(");
  throw new TypeError(`${name} needs a function to run, got ${show(fn)}; write ${call}`);
}

/**
 * Throws a TypeError unless `options` is an object, and not the request or the error that a framework
 * passes to middleware. `call` is as for `needContext`.
 */
export function needOptions(options: unknown, call: string): void {
  const isObject = typeof options === "object" && options !== null;
  if (isObject && !("headers" in options) && !(options instanceof Error)) return;
  const got = isObject ? "a request: call it when you register the middleware" : show(options);
  throw new TypeError(`${call} takes options in an object, got ${got}`);
}

/** Rethrows an error with a stack that leads to the caller instead of to the socket. */
export function showCaller(error: unknown): never {
  if (error instanceof Error && !isContextError(error)) Error.captureStackTrace(error);
  throw error;
}

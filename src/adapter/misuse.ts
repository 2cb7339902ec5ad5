/** Errors for wrong arguments, which say what was passed and what to write instead. */
import { isContextError, type Context } from "../index.ts";
import { contextHint, isInstance, show } from "../internal.ts";

/**
 * Throws a TypeError unless `ctx` is a context. `call` is how to write the call, such as
 * "query(ctx, sql, values)".
 */
export function needContext(ctx: unknown, call: string): asserts ctx is Context {
  if (typeof (ctx as Partial<Context> | null | undefined)?.err === "function") return;
  const [name = call] = call.split("(");
  throw new TypeError(
    `${name} needs a Context as its first argument, got ${show(ctx)}; write ${call}; ${hint(ctx, call)}`,
  );
}

/** Says what to pass instead of `x`, which may be an object of an adapter or of a driver. */
function hint(x: unknown, call: string): string {
  const hasMethod = (name: string): boolean =>
    typeof (Object(x) as Record<string, unknown>)[name] === "function";
  if (hasMethod("transaction") && hasMethod("stream")) {
    return `for a statement of a transaction, write tx.${call}`;
  }
  if (hasMethod("connect") || hasMethod("getConnection")) {
    return "wrap a pool or a client with withContext, and pass the caller's ctx here";
  }
  return contextHint(x);
}

/** Throws a TypeError unless `fn` is a function. `call` is as for `needContext`. */
export function needFunction(fn: unknown, call: string): void {
  if (typeof fn === "function") return;
  const [name = call] = call.split("(");
  throw new TypeError(`${name} needs a function to run, got ${show(fn)}; write ${call}`);
}

/** Rethrows an error with a stack that leads to the caller instead of to the socket. */
export function showCaller(error: unknown): never {
  if (isInstance(error, Error) && !isContextError(error)) Error.captureStackTrace(error);
  throw error;
}

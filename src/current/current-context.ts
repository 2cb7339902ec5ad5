/**
 * The current context, which is in force for code that is handed no context. It follows the calls
 * and awaits of `runWithContext`, by AsyncLocalStorage.
 */
import { AsyncLocalStorage } from "node:async_hooks";
import type { Context } from "../index.ts";
import { checkContext, checkFunction, CURRENT, isDevelopment } from "../internal.ts";
import { watchCalls } from "./development.ts";

/** One call of `runWithContext`, linked to the call around it. */
export interface Frame {
  readonly ctx: Context;
  readonly outer: Frame | undefined;
}

const shared = globalThis as { [CURRENT]?: AsyncLocalStorage<Frame | undefined> };
const storage = (shared[CURRENT] ??= new AsyncLocalStorage());

/**
 * Returns the current context: the context of the innermost `runWithContext` around this call.
 * Returns `undefined` if there is none, or if a `runWithoutContext` lies between it and this call.
 *
 * @example
 * const ctx = currentContext() ?? background();
 */
export function currentContext(): Context | undefined {
  return storage.getStore()?.ctx;
}

/**
 * Calls `fn` with `ctx` as the current context, and returns what `fn` returns. The context stays
 * current in everything that `fn` calls and awaits.
 *
 * Libraries that look up the current context, such as a pool made by `contextPool` of
 * "eightysix/pg", then do their work under `ctx`. The innermost `runWithContext` counts. `fn` is
 * called even if `ctx` is done, and `ctx` is not ended afterwards.
 *
 * A query of Knex, Drizzle or Prisma starts when it is awaited. If `fn` returns such a query, it is
 * started here and the promise of its result is returned. If the query is awaited elsewhere, it
 * runs under the context that is current there.
 *
 * @example
 * app.use((req, _res, next) => runWithContext(req.ctx, next));
 */
export function runWithContext<T>(ctx: Context, fn: () => PromiseLike<T>): Promise<T>;
export function runWithContext<T>(ctx: Context, fn: () => T): T;
export function runWithContext(ctx: Context, fn: () => unknown): unknown {
  checkContext(ctx, "runWithContext");
  checkFunction(fn, "runWithContext", "a function: runWithContext(ctx, () => …)");
  return runInFrame({ ctx, outer: storage.getStore() }, () => startLazy(fn()));
}

/**
 * Calls `fn` with no current context, and returns what `fn` returns. Use it for work that several
 * requests share, such as filling a cache or a `LISTEN`. Such work must not end with the request
 * that happened to start it.
 *
 * @example
 * const settings = (cached ??= runWithoutContext(() => loadSettings()));
 */
export function runWithoutContext<T>(fn: () => PromiseLike<T>): Promise<T>;
export function runWithoutContext<T>(fn: () => T): T;
export function runWithoutContext(fn: () => unknown): unknown {
  checkFunction(fn, "runWithoutContext", "a function: runWithoutContext(() => …)");
  return runInFrame(undefined, () => startLazy(fn()));
}

/** Returns the innermost frame around this call. */
export function currentFrame(): Frame | undefined {
  return storage.getStore();
}

/** Calls `fn` with `frame` as the current one. */
export function runInFrame<T>(frame: Frame | undefined, fn: () => T): T {
  if (isDevelopment()) watchCalls();
  return storage.run(frame, fn);
}

/** Returns whether `frame` is `outer`, or lies inside it. */
export function isWithin(frame: Frame | undefined, outer: Frame): boolean {
  for (let at = frame; at !== undefined; at = at.outer) if (at === outer) return true;
  return false;
}

/**
 * Starts the work of a thenable that is not a promise, such as a query of Knex, by calling its
 * `then`. The work of a promise has started already.
 */
function startLazy(result: unknown): unknown {
  const { then } = Object(result) as Partial<PromiseLike<unknown>>;
  if (typeof then !== "function" || Object.getPrototypeOf(result) === Promise.prototype) {
    return result;
  }
  return new Promise((resolve, reject) => {
    (result as PromiseLike<unknown>).then(resolve, reject);
  });
}

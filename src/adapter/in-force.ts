/**
 * The context in force: for libraries that take no context and keep their connections for the life
 * of the process, such as ORMs. It follows the calls and awaits of `run`, by AsyncLocalStorage.
 */
import { AsyncLocalStorage } from "node:async_hooks";
import type { Context } from "../index.ts";
import { needContext, needFunction } from "./misuse.ts";

/** One `run`, and those around it. */
export interface Scope {
  readonly ctx: Context;
  readonly outer: Scope | undefined;
}

const storage = new AsyncLocalStorage<Scope | undefined>();

/**
 * Calls `fn` with `ctx` in force: what it does with a database that was made for it (such as by
 * `contextPool` of "eightysix/pg") belongs to `ctx`, also after an `await`. Returns what `fn`
 * returns. The innermost `run` counts. It neither ends `ctx` nor looks at it: `fn` is called even if
 * `ctx` is done.
 *
 * Queries of Knex, Drizzle and Prisma begin when they are awaited. One that `fn` returns is begun
 * here, and its promise returned; any other belongs to where it is awaited.
 */
export function run<T>(ctx: Context, fn: () => PromiseLike<T>): Promise<T>;
export function run<T>(ctx: Context, fn: () => T): T;
export function run(ctx: Context, fn: () => unknown): unknown {
  needContext(ctx, "run(ctx, () => …)");
  needFunction(fn, "run(ctx, () => …)");
  return enter({ ctx, outer: storage.getStore() }, () => begun(fn()));
}

/**
 * Calls `fn` with no context in force: for what is shared by several requests, and must not end
 * with the one that happened to start it, such as a cache that is filled or a `LISTEN`.
 */
export function outside<T>(fn: () => PromiseLike<T>): Promise<T>;
export function outside<T>(fn: () => T): T;
export function outside(fn: () => unknown): unknown {
  return enter(undefined, () => begun(fn()));
}

/** The innermost `run` that this was called from. */
export function inForce(): Scope | undefined {
  return storage.getStore();
}

/** Calls `fn` where `scope` is in force. */
export function enter<T>(scope: Scope | undefined, fn: () => T): T {
  return storage.run(scope, fn);
}

/** A promise has begun; anything else with a `then` may be waiting for it to be called. */
function begun(result: unknown): unknown {
  const { then } = Object(result) as Partial<PromiseLike<unknown>>;
  if (typeof then !== "function" || Object.getPrototypeOf(result) === Promise.prototype) {
    return result;
  }
  return new Promise((resolve, reject) => {
    (result as PromiseLike<unknown>).then(resolve, reject);
  });
}

/** Whether `scope` is `outer`, or was entered from there. */
export function isWithin(scope: Scope | undefined, outer: Scope): boolean {
  for (let each = scope; each !== undefined; each = each.outer) if (each === outer) return true;
  return false;
}

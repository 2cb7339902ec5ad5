/** What the functions that run tasks share. */
import { checkFunction, checkLimit, checkOptions } from "../core/check.ts";
import type { Context } from "../core/context.ts";
import { show } from "../core/show.ts";

/** A function that takes a context as its first parameter and ends when the context ends. */
export type Task<T> = (ctx: Context) => T | PromiseLike<T>;

/** What a task returns, without its promise. */
export type TaskResult<T> = T extends Task<infer R> ? Awaited<R> : never;

/** The results of a tuple or an array of tasks, in their order. */
export type TaskResults<T extends readonly Task<unknown>[]> = {
  -readonly [I in keyof T]: TaskResult<T[I]>;
};

/** The options of `group`, `all` and `allSettled`. */
export interface LimitOptions {
  /**
   * The most tasks that run at the same time. The others begin in order. The body of a `group` does
   * not count. The default is no limit.
   */
  limit?: number;
}

/** Returns the limit of `options`, or Infinity. Throws if the options or the limit are wrong. */
export function limitOf(options: LimitOptions | undefined, caller: string): number {
  checkOptions(options, caller, ["limit"]);
  const { limit = Infinity } = options ?? {};
  checkLimit(limit, caller);
  return limit;
}

/** Throws a TypeError unless `tasks` is an array of functions. */
export function checkTasks(tasks: unknown, caller: string): void {
  if (!Array.isArray(tasks))
    throw new TypeError(
      `${caller} takes an array of functions, got ${show(tasks)}; pass [(ctx) => …, …]`,
    );
  // An index, because a hole of a sparse array must be found, too.
  for (let i = 0; i < tasks.length; i++)
    checkFunction(tasks[i], caller, "functions that start the tasks: (ctx) => …");
}

import type { Context } from "../core/context.ts";
import { RunningTasks } from "./running-tasks.ts";
import { checkTasks, limitOf, type LimitOptions, type Task, type TaskResult } from "./task.ts";
import { checkCall } from "../work/wrong-context.ts";

/** The outcomes of a tuple or an array of tasks, in their order. */
export type TaskSettledResults<T extends readonly Task<unknown>[]> = {
  -readonly [I in keyof T]: PromiseSettledResult<TaskResult<T[I]>>;
};

/**
 * Runs the tasks at the same time, each under a child of `ctx`, and returns their outcomes in order,
 * in the form of `Promise.allSettled`. It resolves when all tasks have ended. A failure does not
 * cancel the other tasks.
 *
 * If `ctx` ends, the context of the tasks ends too. A task that returns a value nevertheless is
 * fulfilled. A task that has not begun by then never begins, and is rejected with `ctx.err()`. If
 * `ctx` is done already, every task is.
 *
 * Rejects only if an argument is wrong: with a TypeError if a task is not a function, and with
 * a RangeError if `limit` is not a whole number of at least 1.
 *
 * @example
 * const [prices, stock] = await allSettled(ctx, [
 *   (ctx) => fetchPrices(ctx),
 *   (ctx) => fetchStock(ctx),
 * ]);
 * if (stock.status === "rejected") log(stock.reason);
 */
export async function allSettled<const T extends readonly Task<unknown>[]>(
  ctx: Context,
  tasks: T,
  options?: LimitOptions,
): Promise<TaskSettledResults<T>> {
  checkCall(ctx, "allSettled", allSettled);
  checkTasks(tasks, "allSettled");
  const limit = limitOf(options, "allSettled");

  const running = new RunningTasks(ctx, limit, false);
  const outcomes = () => Promise.allSettled(tasks.map((task) => running.go(task)));
  return (await running.join(outcomes)) as TaskSettledResults<T>;
}

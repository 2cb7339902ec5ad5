import { checkContext } from "../core/check-context.ts";
import { checkOptions } from "../core/check.ts";
import { throwIfDone } from "../core/context-state.ts";
import type { Context } from "../core/context.ts";
import { RunningTasks } from "./running-tasks.ts";
import { checkLimit, checkTasks, type Task, type TaskResults } from "./task.ts";

/** The options of `all`. */
export interface AllOptions {
  /**
   * The most tasks that run at the same time. The others begin in order. The default is no limit.
   */
  limit?: number;
}

/**
 * Runs the tasks at the same time, each under a child of `ctx`, and returns their results in order.
 *
 * If a task fails, `all` cancels the context of the others with that error as the cause, waits
 * until they have ended, and then rejects with that error. So no task outlives the call. A task
 * that has not begun by then never begins. Later failures are in the error's `suppressed`, as
 * in `group`.
 *
 * If `ctx` ends, the context of the tasks ends too. A task that has not begun by then never begins,
 * which is a failure. If no task fails because of the end, `all` returns their results. If `ctx` is
 * done already, no task begins, and `all` rejects with `ctx.err()`.
 *
 * Rejects with a TypeError if a task is not a function, and with a RangeError if `limit` is not
 * a whole number of at least 1.
 *
 * @example
 * const [user, orders] = await all(ctx, [
 *   (ctx) => findUser(ctx, id),
 *   (ctx) => listOrders(ctx, id),
 * ]);
 */
export async function all<const T extends readonly Task<unknown>[]>(
  ctx: Context,
  tasks: T,
  options?: AllOptions,
): Promise<TaskResults<T>> {
  checkContext(ctx, "all");
  checkOptions(options, "all", ["limit"]);
  const { limit = Infinity } = options ?? {};
  checkTasks(tasks, "all");
  checkLimit(limit, "all");
  throwIfDone(ctx);

  const running = new RunningTasks(ctx, limit);
  const results = new Array<unknown>(tasks.length);
  await running.join(() => {
    tasks.forEach((task, i) => void running.run(task, (result) => (results[i] = result)));
  });
  return results as TaskResults<T>;
}

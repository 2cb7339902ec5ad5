import { throwIfDone } from "../core/context-state.ts";
import type { Context } from "../core/context.ts";
import { RunningTasks } from "./running-tasks.ts";
import { checkTasks, limitOf, type LimitOptions, type Task, type TaskResults } from "./task.ts";
import { checkCall } from "../work/wrong-context.ts";

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
  options?: LimitOptions,
): Promise<TaskResults<T>> {
  checkCall(ctx, "all", all);
  checkTasks(tasks, "all");
  const limit = limitOf(options, "all");
  throwIfDone(ctx);

  const running = new RunningTasks(ctx, limit);
  const results = new Array<unknown>(tasks.length);
  await running.join(() => {
    tasks.forEach((task, i) => void running.run(task, (result) => (results[i] = result)));
  });
  return results as TaskResults<T>;
}

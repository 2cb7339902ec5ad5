import type { Context } from "../core/context.ts";
import { contest, type Outcome } from "./contest.ts";
import { checkTasks, type Task, type TaskResult } from "./task.ts";
import { checkCall } from "../work/wrong-context.ts";

/**
 * Runs the tasks at the same time, each under a child of `ctx`, and settles as the first task that
 * settles: with its result, or with its error.
 *
 * `race` cancels the contexts of the other tasks with a `Superseded` as the cause, and waits until
 * they have ended. What they return or throw then is dropped. So no task outlives the call, and a
 * task that is slow to stop delays it.
 *
 * The tasks begin in order. If a task throws before its first `await`, the tasks behind it never
 * begin. A task that has not begun when `ctx` ends never begins, and counts as one that rejects with
 * `ctx.err()`. If `ctx` is done already, no task begins, and `race` rejects with `ctx.err()`.
 *
 * Rejects with a TypeError if a task is not a function, and with a RangeError if there is no task.
 *
 * @example
 * const change = await race(ctx, [
 *   (ctx) => nextMessage(ctx),
 *   (ctx) => sleep(ctx, 30_000).then(() => undefined),
 * ]);
 */
export async function race<const T extends readonly Task<unknown>[]>(
  ctx: Context,
  tasks: T,
): Promise<TaskResult<T[number]>> {
  checkCall(ctx, "race", race);
  checkTasks(tasks, "race");
  if (tasks.length === 0)
    throw new RangeError("race got no tasks, and would never settle; pass at least one task");
  const { winner } = await contest(ctx, tasks, () => true);
  const first = winner as Outcome;
  if (first.status === "rejected") throw first.reason;
  return first.value as never;
}

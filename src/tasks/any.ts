import { throwIfDone } from "../core/context-state.ts";
import type { Context } from "../core/context.ts";
import { contest, type Outcome } from "./contest.ts";
import { checkTasks, type Task, type TaskResult } from "./task.ts";
import { checkCall } from "../work/wrong-context.ts";

/**
 * Runs the tasks at the same time, each under a child of `ctx`, and returns the result of the first
 * task that succeeds.
 *
 * `any` cancels the contexts of the other tasks with a `Superseded` as the cause, and waits until
 * they have ended. What they return or throw then is dropped. So no task outlives the call, and a
 * task that is slow to stop delays it.
 *
 * The tasks begin in order. A task that has not begun when `ctx` ends never begins. If `ctx` is done
 * already, no task begins, and `any` rejects with `ctx.err()`.
 *
 * If no task succeeds, rejects when all have ended: with `ctx.err()` if `ctx` is done, and
 * otherwise with an AggregateError, whose `errors` are in the order of the tasks. Without tasks,
 * `errors` is empty, as with `Promise.any`.
 *
 * Rejects with a TypeError if a task is not a function.
 *
 * @example
 * const file = await any(ctx, mirrors.map((mirror) => (ctx) => download(ctx, mirror)));
 */
export async function any<const T extends readonly Task<unknown>[]>(
  ctx: Context,
  tasks: T,
): Promise<TaskResult<T[number]>> {
  checkCall(ctx, "any", any);
  checkTasks(tasks, "any");
  const { winner, outcomes } = await contest(ctx, tasks, isSuccess);
  if (winner !== undefined) return (winner as PromiseFulfilledResult<unknown>).value as never;
  throwIfDone(ctx);
  const errors = outcomes.map((outcome) => (outcome as PromiseRejectedResult).reason as unknown);
  throw new AggregateError(
    errors,
    errors.length === 0 ? "any got no tasks" : `all ${errors.length} tasks of any failed`,
  );
}

function isSuccess(outcome: Outcome): boolean {
  return outcome.status === "fulfilled";
}

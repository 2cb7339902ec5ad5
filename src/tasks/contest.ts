/** What `race` and `any` share: tasks that run at the same time until one of them wins. */
import { throwIfDone } from "../core/context-state.ts";
import type { CancelableContext, Context } from "../core/context.ts";
import { withCancel } from "../core/derive.ts";
import { finish } from "../core/handle.ts";
import { superseded } from "./superseded.ts";
import type { Task } from "./task.ts";

export type Outcome = PromiseSettledResult<unknown>;

/** How a contest ended. */
export interface Result {
  /** The first outcome that won, if one did. */
  winner: Outcome | undefined;
  /** The outcomes of the tasks, in the order of the tasks. Those behind an early winner have none. */
  outcomes: Outcome[];
}

/**
 * Begins the tasks in order, each under a child of `ctx` of its own. The first outcome for which
 * `wins` returns true wins: the other tasks are canceled, and those that have not begun never begin.
 * Resolves when all tasks have ended, and never rejects.
 *
 * A task that has not begun when `ctx` ends never begins. It counts as rejected with `ctx.err()`.
 */
export async function contest(
  ctx: Context,
  tasks: readonly Task<unknown>[],
  wins: (outcome: Outcome) => boolean,
): Promise<Result> {
  const result: Result = { winner: undefined, outcomes: [] };
  const children: CancelableContext[] = [];
  const run = async (task: Task<unknown>, index: number): Promise<void> => {
    // A task before this one has thrown before its first `await`, and has won.
    if (result.winner !== undefined) return;
    const child = withCancel(ctx);
    children.push(child);
    let outcome: Outcome;
    try {
      throwIfDone(ctx);
      outcome = { status: "fulfilled", value: await task(child) };
    } catch (reason) {
      outcome = { status: "rejected", reason };
    }
    finish(child);
    result.outcomes[index] = outcome;
    if (result.winner !== undefined || !wins(outcome)) return;
    result.winner = outcome;
    const cause = superseded();
    for (const other of children) other.cancel(cause); // has no effect on those that have ended
  };
  await Promise.all(tasks.map(run));
  return result;
}

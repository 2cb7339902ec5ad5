import { checkFunction } from "../core/check.ts";
import { throwIfDone } from "../core/context-state.ts";
import type { Context } from "../core/context.ts";
import { RunningTasks } from "./running-tasks.ts";
import { limitOf, type LimitOptions, type Task } from "./task.ts";
import { checkCall } from "../work/wrong-context.ts";

/** Starts the tasks of one call of `group`. Its functions need no `this`. */
export interface Group {
  /** The context of the body and of all tasks: a child of the context of the call. */
  readonly ctx: Context;
  /**
   * Starts a task, and returns a promise of its result. If `limit` tasks are running, the task waits
   * for its turn, and the tasks start in the order of the calls. If the group's context ends before
   * that, the task never begins, and the promise rejects with `g.ctx.err()`.
   *
   * A task may call `go`, too. The group waits for what it starts. If `limit` tasks wait for tasks
   * that wait for their turn, none of them can go on before the context ends.
   *
   * The promise need not be awaited. A task that fails makes the group fail, also if the program
   * handles the rejection of the promise. A task that must not do so catches its own errors.
   *
   * Throws a TypeError if `task` is not a function, and an Error if the group has ended.
   */
  readonly go: <T>(task: Task<T>) => Promise<T>;
  /**
   * Works like `go` if the task can begin at once. If `limit` tasks are running or the group's context
   * is done, does nothing and returns `undefined`.
   */
  readonly tryGo: <T>(task: Task<T>) => Promise<T> | undefined;
}

/**
 * Runs `body`, which may start tasks with `g.go`, and returns its result when the body and all tasks
 * have ended. No task outlives the call. It is Go's errgroup, with the wait built in.
 *
 * The first failure of the body or of a task cancels `g.ctx` with that error as the cause. `group`
 * waits until everything has ended, and then rejects with that error. No task begins after that.
 *
 * Later failures are in the non-enumerable array `suppressed` of the first one. A task that merely
 * passes on the end of its context does not count as a failure then. An error that others may
 * share is not written on: a context error, that of a `SingleFlight` with several calls, one that is
 * frozen or no Error, and one that has a `suppressed` from elsewhere. The later failures are then
 * published on the channel `eightysix:task.suppressed` of `node:diagnostics_channel`, each as
 * `{ error, suppressed }`, and development mode warns of them.
 *
 * If `ctx` ends, `g.ctx` ends too. If nothing fails because of that, `group` returns the result. If
 * `ctx` is done already, the body does not run, and `group` rejects with `ctx.err()`.
 *
 * Rejects with a TypeError if `body` is not a function, and with a RangeError if `limit` is not
 * a whole number of at least 1.
 *
 * @example
 * await group(ctx, async (g) => {
 *   for await (const user of listUsers(g.ctx)) void g.go((ctx) => sendMail(ctx, user));
 * }, { limit: 10 });
 */
export async function group<T>(
  ctx: Context,
  body: (g: Group) => T | PromiseLike<T>,
  options?: LimitOptions,
): Promise<T> {
  checkCall(ctx, "group", group);
  checkFunction(body, "group", "a function that starts tasks: async (g) => …");
  const limit = limitOf(options, "group");
  throwIfDone(ctx);

  const running = new RunningTasks(ctx, limit);
  const g = groupOf(running);
  return await running.join(() => body(g));
}

function groupOf(running: RunningTasks): Group {
  const check = (task: unknown, caller: string): void => {
    checkFunction(task, caller, "a function that starts the task: (ctx) => …");
    if (!running.isOver) return;
    throw new Error(
      `${caller} was called after its group had ended; call it while the body or a task of the group runs, or start the task with detach(ctx, budgetMs, fn)`,
    );
  };
  return {
    ctx: running.ctx,
    go(task) {
      check(task, "g.go");
      return running.go(task);
    },
    tryGo(task) {
      check(task, "g.tryGo");
      return running.isReady ? running.go(task) : undefined;
    },
  };
}

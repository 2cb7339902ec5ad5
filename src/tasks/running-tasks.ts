import { throwIfDone } from "../core/context-state.ts";
import type { CancelableContext, Context } from "../core/context.ts";
import { withCancel } from "../core/derive.ts";
import { finish } from "../core/handle.ts";
import { Failures } from "./failures.ts";
import type { Task } from "./task.ts";
import { Turns } from "./turns.ts";

const ignore = (): void => undefined;

/**
 * How deep tasks may start tasks without a pause. A deeper one starts in a microtask, so that a chain
 * of tasks, each of which starts the next, does not exhaust the stack.
 */
const DEEPEST = 64;
let depth = 0;

/**
 * The tasks of one call of `group`, `all`, `allSettled` or `map`: the context that they share, how
 * many run at once, how many have not ended, and what failed.
 */
export class RunningTasks {
  /** A child of the context of the call. The first failure cancels it, and the end finishes it. */
  readonly ctx: CancelableContext;
  readonly failures: Failures;
  readonly #turns: Turns;
  readonly #isFailFast: boolean;
  /** Counts the call itself, and every task that runs or waits for its turn. */
  #open = 1;
  #resolve!: () => void;
  readonly #ended = new Promise<void>((resolve) => (this.#resolve = resolve));

  /** If `isFailFast` is false, a failure rejects the promise of its task, and nothing else. */
  constructor(ctx: Context, limit: number, isFailFast = true) {
    this.ctx = withCancel(ctx);
    this.failures = new Failures(this.ctx);
    this.#turns = new Turns(this.ctx, limit);
    this.#isFailFast = isFailFast;
  }

  /** Whether the call and all tasks have ended, so that no task can start any more. */
  get isOver(): boolean {
    return this.#open === 0;
  }

  /** Whether a task would begin at once. */
  get isReady(): boolean {
    return this.#turns.isFree && this.ctx.err() === undefined;
  }

  /**
   * Runs a task when it is its turn. A failure is recorded by `fail`, and rejects the promise. A task
   * whose turn has not come by the end of the context does not begin, and fails with that end.
   */
  go<T>(task: Task<T>): Promise<T> {
    const result = new Promise<T>((resolve, reject) => void this.run(task, resolve, reject));
    // The call throws the failure, so a promise that nothing awaits is no unhandled rejection.
    result.catch(ignore);
    return result;
  }

  /** Works like `go`, and calls a function in place of settling a promise. Never rejects. */
  // An async function, because each one continues in its own AsyncLocalStorage context after an
  // await. So a task that waited runs in the context of its `go`, not of the task before it.
  async run<T>(
    task: Task<T>,
    onResult: (result: T) => void,
    onFailure: (error: unknown) => void = ignore,
  ): Promise<void> {
    this.#open++;
    try {
      const turn = this.#turns.take();
      if (turn !== undefined) await turn;
      try {
        if (depth >= DEEPEST) await Promise.resolve();
        throwIfDone(this.ctx);
        onResult(await this.#start(task));
      } finally {
        this.#turns.give();
      }
    } catch (error) {
      if (this.#isFailFast) this.fail(error);
      onFailure(error);
    } finally {
      this.#close();
    }
  }

  #start<T>(task: Task<T>): T | PromiseLike<T> {
    depth++;
    try {
      return task(this.ctx);
    } finally {
      depth--;
    }
  }

  /** Records a failure. The first one cancels the tasks, with itself as the cause. */
  fail(error: unknown): void {
    this.failures.add(error);
    this.ctx.cancel(error);
  }

  /**
   * Runs `body`, and waits until it and all tasks have ended. Returns the result of `body`. Throws the
   * first failure, which may be that of `body`.
   */
  async join<T>(body: () => T | PromiseLike<T>): Promise<T> {
    let result: T | undefined;
    try {
      result = await body();
    } catch (error) {
      this.fail(error);
    }
    this.#close();
    await this.#ended;
    this.failures.throwFirst();
    return result as T;
  }

  #close(): void {
    if (--this.#open > 0) return;
    finish(this.ctx);
    this.#resolve();
  }
}

/**
 * The protocol of every adapter, written once: how one operation on a shared resource is stopped
 * for real, without ever hitting somebody else's.
 *
 * The main hazard is the late stop: sent while the operation was ending by itself, it kills
 * whoever uses the connection next. So nothing settles here until the operation has settled *and*
 * its stop can do nothing more. That is bounded, because a server or a network may never answer:
 * then the resource is destroyed, which ends the doubt.
 */
import { afterFunc, background, startWork, throwIfDone, withTimeout } from "../index.ts";
import type { Context, Stop, Work } from "../index.ts";

export interface Operation<T> {
  /** For the ledger: what sort of work, as "pg.query", and which. */
  readonly kind: string;
  readonly what?: string | undefined;
  /** It runs before `start` is called: then even a context that is done already has to stop it. */
  readonly begun?: boolean;
  /** Starts it. Called once, unless the context is done already. */
  start(): PromiseLike<T>;
  /**
   * Begins to stop it, and resolves when the stop can do nothing more, to this operation or to the
   * next one on the resource. Called at most once, while `running()`. Rejects if that cannot be
   * known: then the resource is destroyed.
   */
  stop(running: () => boolean): PromiseLike<unknown>;
  /** Whether this failure is the work of `stop`, such as PostgreSQL's 57014. */
  isStop(error: unknown): boolean;
  /** Ends the resource at once: nothing of the operation can reach anybody afterwards. Never throws. */
  destroy(reason: unknown): void;
}

/** How long the other side has to stop, in milliseconds, before the resource is destroyed. */
export const GRACE = 2_000;

/**
 * Runs an operation until it settles or `ctx` is done *and* it has been stopped. Resolves with its
 * result, even one that beat the stop; rejects with `ctx.err()` if the stop or the end of the
 * resource ended it, and with the operation's own error, untouched, in every other case.
 */
export function runStoppable<T>(ctx: Context, operation: Operation<T>, grace = GRACE): Promise<T> {
  return new Promise((resolve, reject) => {
    if (operation.begun !== true) throwIfDone(ctx);
    new Run(ctx, operation, grace, resolve, reject).begin();
  });
}

/** One run. A class and not an async function, because uncancelled operations should cost little. */
class Run<T> {
  readonly #ctx: Context;
  readonly #operation: Operation<T>;
  readonly #grace: number;
  readonly #resolve: (value: T) => void;
  readonly #reject: (error: unknown) => void;
  readonly #work: Work;
  #outcome: { value: T } | { error: unknown } | undefined;
  #takeBack: Stop | undefined;
  #stopSent = false;
  #settled: (() => void) | undefined;

  constructor(
    ctx: Context,
    operation: Operation<T>,
    grace: number,
    resolve: (value: T) => void,
    reject: (error: unknown) => void,
  ) {
    this.#ctx = ctx;
    this.#operation = operation;
    this.#grace = grace;
    this.#resolve = resolve;
    this.#reject = reject;
    this.#work = startWork(ctx, operation.kind, operation.what);
  }

  begin(): void {
    try {
      this.#operation.start().then(
        (value) => this.#settle({ value }),
        (error: unknown) => this.#settle({ error }),
      );
      this.#takeBack = afterFunc(this.#ctx, () => this.#stop());
    } catch (error) {
      this.#settle({ error });
    }
  }

  #settle(outcome: { value: T } | { error: unknown }): void {
    this.#outcome = outcome;
    if (this.#stopSent) return this.#settled?.();
    // If it is too late to take it back, the callback will see the outcome and do nothing.
    this.#takeBack?.();
    this.#finish("stopped");
  }

  async #stop(): Promise<void> {
    if (this.#outcome !== undefined) return;
    this.#stopSent = true;
    const settled = new Promise<void>((resolve) => (this.#settled = resolve));
    using bound = withTimeout(background(), this.#grace);
    const graceOver = new Promise<void>((_, reject) => void afterFunc(bound, reject));
    try {
      const stopping = this.#operation.stop(() => this.#outcome === undefined);
      await Promise.race([Promise.all([stopping, settled]), graceOver]);
      this.#finish("stopped");
    } catch (error) {
      const known = this.#outcome !== undefined;
      this.#operation.destroy(error);
      this.#finish(known ? "stopped" : "lost");
    }
  }

  #finish(state: "stopped" | "lost"): void {
    this.#work.end(state);
    const outcome = this.#outcome;
    if (outcome === undefined) this.#reject(this.#ctx.err());
    else if ("value" in outcome) this.#resolve(outcome.value);
    else if (this.#stopSent && this.#operation.isStop(outcome.error)) this.#reject(this.#ctx.err());
    else this.#reject(outcome.error);
  }
}

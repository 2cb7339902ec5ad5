/**
 * The protocol of every adapter, written once: how one operation on a shared resource is stopped
 * for real, without ever hitting somebody else's.
 *
 * The main hazard is the late stop: sent while the operation was ending by itself, it kills
 * whoever uses the connection next. So nothing settles here until the operation has settled *and*
 * its stop can do nothing more. That is bounded, because a server or a network may never answer:
 * then the resource is destroyed, which ends the doubt.
 */
import { afterFunc, background, sleep, startWork, throwIfDone, withTimeout } from "../index.ts";
import type { Context, Work } from "../index.ts";
import { DoneListener } from "../internal.ts";

export interface Operation<T> {
  /**
   * For the ledger: what sort of work, as "pg.query", and which. Without a kind the operation keeps
   * the ledger itself, because it is one work after another; see `over`.
   */
  readonly kind?: string | undefined;
  readonly what?: string | undefined;
  /**
   * Starts it. Called once, unless the context is done already. It returns a promise of the result
   * or, where a driver has callbacks and each promise would cost, uses `settle` itself.
   */
  start(settle: Settle<T>): PromiseLike<T> | undefined;
  /**
   * Asks it to stop, and resolves when this request can do nothing more, to this operation or to the
   * next one on the resource. Called again, after a pause, for as long as the operation goes on: most
   * servers forget a request that overtook its operation. Rejects if it cannot be known what became
   * of the request: then the resource is destroyed.
   */
  stop(): PromiseLike<unknown>;
  /** Whether this failure is the work of `stop`, such as PostgreSQL's 57014. */
  isStop(error: unknown): boolean;
  /** Ends the resource at once: nothing of the operation can reach anybody afterwards. Never throws. */
  destroy(reason: unknown): void;
  /**
   * Called last, once, if `start` was: from now on nothing of the operation can reach anybody, so
   * the resource can be given back. Never throws.
   */
  release?(state: "stopped" | "abandoned"): void;
}

/** Takes the outcome of an operation; the first counts. */
export interface Settle<T> {
  resolve(value: T): void;
  reject(error: unknown): void;
}

/** How long the other side has to stop, in milliseconds, before the resource is destroyed. */
export const STOP_TIMEOUT = 2_000;

/** Milliseconds until a stop is repeated, doubled each time. */
const REPEAT_AFTER = 50;

/**
 * Runs an operation until it settles or `ctx` is done *and* it has been stopped. Resolves with its
 * result, even one that beat the stop; rejects with `ctx.err()` if the stop or the end of the
 * resource ended it, and with the operation's own error, untouched, in every other case.
 */
export function runStoppable<T>(
  ctx: Context,
  operation: Operation<T>,
  stopTimeout = STOP_TIMEOUT,
): Promise<T> {
  return new Promise((resolve, reject) => {
    throwIfDone(ctx);
    new RunningOperation(ctx, operation, stopTimeout, resolve, reject).begin();
  });
}

/** One run. Not an async function, because operations that nobody cancels should cost little. */
class RunningOperation<T> extends DoneListener implements Settle<T> {
  readonly #ctx: Context;
  readonly #operation: Operation<T>;
  readonly #stopTimeout: number;
  readonly #fulfill: (value: T) => void;
  readonly #fail: (error: unknown) => void;
  #work: Work | undefined;
  #settled = false;
  #failed = false;
  #value: T | undefined;
  #error: unknown;
  #stopSent = false;
  #onSettled: (() => void) | undefined;

  constructor(
    ctx: Context,
    operation: Operation<T>,
    stopTimeout: number,
    fulfill: (value: T) => void,
    fail: (error: unknown) => void,
  ) {
    super();
    this.#ctx = ctx;
    this.#operation = operation;
    this.#stopTimeout = stopTimeout;
    this.#fulfill = fulfill;
    this.#fail = fail;
  }

  begin(): void {
    const { kind, what } = this.#operation;
    if (kind !== undefined) this.#work = startWork(this.#ctx, kind, what);
    try {
      this.#operation.start(this)?.then(
        (value) => this.resolve(value),
        (error: unknown) => this.reject(error),
      );
    } catch (error) {
      this.reject(error);
    }
    if (!this.#settled) this.register(this.#ctx);
  }

  resolve(value: T): void {
    if (this.#settled) return;
    this.#value = value;
    this.#settle();
  }

  reject(error: unknown): void {
    if (this.#settled) return;
    this.#error = error;
    this.#failed = true;
    this.#settle();
  }

  #settle(): void {
    this.#settled = true;
    if (this.#stopSent) {
      this.#onSettled?.();
      return;
    }
    this.unregister();
    this.#finish("stopped");
  }

  onDone(): void {
    if (!this.#settled) void this.#stop();
  }

  async #stop(): Promise<void> {
    this.#stopSent = true;
    const settled = new Promise<void>((resolve) => (this.#onSettled = resolve));
    using bound = withTimeout(background(), this.#stopTimeout);
    const stopTimedOut = new Promise<void>((_, reject) => void afterFunc(bound, reject));
    try {
      for (let pause = REPEAT_AFTER; !this.#settled; pause *= 2) {
        await Promise.race([this.#operation.stop(), stopTimedOut]);
        if (!this.#settled) await Promise.race([settled, sleep(bound, pause)]);
      }
      this.#finish("stopped");
    } catch (error) {
      const known = this.#settled;
      // What the end of the resource will say of the operation is not its outcome.
      if (!known) this.reject(this.#ctx.err());
      this.#operation.destroy(error);
      this.#finish(known ? "stopped" : "abandoned");
    }
  }

  /** A server that was told of the deadline may be faster than our timer, as after a pause of the process. */
  #outcome(): unknown {
    const err = this.#ctx.err();
    return err !== undefined && this.#operation.isStop(this.#error) ? err : this.#error;
  }

  #finish(state: "stopped" | "abandoned"): void {
    this.#work?.end(state);
    this.#operation.release?.(state);
    if (!this.#failed) this.#fulfill(this.#value as T);
    else this.#fail(this.#outcome());
  }
}

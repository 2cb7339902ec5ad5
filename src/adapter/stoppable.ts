/**
 * How every adapter runs one operation, and stops it when its context ends.
 *
 * The main hazard is a late stop. A cancel request names a connection, not an operation. If the
 * operation ends by itself while the request is on its way, the request hits the next operation on
 * the same connection, which is a wrong victim.
 *
 * So the caller's promise settles only when the operation has settled and its stop can do nothing
 * more. A server or a network may never answer, so the stop timeout limits this wait. After that
 * the resource is destroyed, and then no request can hit anything on it. The resource is what the
 * operation runs on: in most adapters, a connection.
 */
import { afterFunc, background, sleep, startWork, throwIfDone, withTimeout } from "../index.ts";
import type { Context, Work } from "../index.ts";
import { DoneListener } from "../internal.ts";

/**
 * What an adapter says about one operation: how it starts, how it is stopped, and what happens to
 * its resource. `runStoppable` calls the methods in the order in which they are listed here.
 */
export interface Operation<T> {
  /**
   * The kind of work for the ledger, such as "pg.query". An operation that consists of several
   * pieces of work has no kind here. It records them itself, and ends the last one in `release`.
   */
  readonly kind?: string | undefined;
  /** The description of the work for the ledger, such as the SQL text. */
  readonly what?: string | undefined;
  /**
   * Starts the operation. Called once, or not at all if the context is done already. Reports the
   * outcome by the promise that it returns. A driver with callbacks returns `undefined` and calls
   * `resolver` instead, which saves a promise. If `start` throws, that error is the outcome.
   */
  start(resolver: Resolver<T>): PromiseLike<T> | undefined;
  /**
   * Asks the other side to stop the operation. Resolves when this request can do nothing more,
   * neither to this operation nor to the next one on the resource.
   *
   * Called when the context ends while the operation runs. It is called again and again while the
   * operation runs, after a pause that doubles each time, because most servers forget a request
   * that overtook its operation. Calls do not overlap. If it throws or rejects, the effect of the
   * request is unknown, so the resource is destroyed.
   */
  stop(): PromiseLike<unknown>;
  /**
   * Destroys the resource, so that the operation and its stop can affect no other operation
   * afterwards. Called at most once, if `stop` has failed or the stop timeout has passed. `reason` is
   * the error of `stop`, or a context error if the stop timeout has passed. Must not throw.
   */
  destroy(reason: unknown): void;
  /**
   * Gives the resource back, unless `destroy` was called. Called once if `start` was called, also
   * after `destroy`, when neither the operation nor its stop can affect any other operation. `state`
   * is "abandoned" if the operation had not settled when the resource was destroyed, and "stopped" in
   * every other case: it does not say whether the resource still exists. Must not throw.
   */
  release?(state: "stopped" | "abandoned"): void;
  /**
   * Returns whether this error means that the other side stopped the operation, such as
   * PostgreSQL's 57014. Called at most once, after `release`, if the operation has failed and its
   * context is done. If this method returns true, the caller gets `ctx.err()` instead of the error.
   * Must not throw.
   */
  isStop(error: unknown): boolean;
}

/** Takes the outcome of an operation. Only the first call counts. */
export interface Resolver<T> {
  resolve(value: T): void;
  reject(error: unknown): void;
}

/** The default stop timeout, in milliseconds. */
export const STOP_TIMEOUT = 2_000;

/** Milliseconds between the first stop and the second. Each later pause is twice as long. */
const REPEAT_AFTER = 50;

/**
 * Runs an operation, and stops it when `ctx` ends. `stopTimeout` is in milliseconds.
 *
 * Resolves with the operation's result, even if the result came after `ctx` had ended. Rejects with
 * `ctx.err()` if the stop or the destruction of the resource ended the operation. Rejects with the
 * operation's own error, unchanged, in every other case.
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

/**
 * One operation between `start` and `release`. If it settles before its context ends, `#finish`
 * follows at once. Otherwise `#stop` calls `#finish`.
 *
 * This is a class and not an async function, because an operation that is never stopped must cost
 * little.
 */
class RunningOperation<T> extends DoneListener implements Resolver<T> {
  readonly #ctx: Context;
  readonly #operation: Operation<T>;
  readonly #stopTimeout: number;
  readonly #resolveCaller: (value: T) => void;
  readonly #rejectCaller: (error: unknown) => void;
  #work: Work | undefined;
  #isSettled = false;
  #hasFailed = false;
  #value: T | undefined;
  #error: unknown;
  #isStopping = false;
  #onSettled: (() => void) | undefined;

  constructor(
    ctx: Context,
    operation: Operation<T>,
    stopTimeout: number,
    resolveCaller: (value: T) => void,
    rejectCaller: (error: unknown) => void,
  ) {
    super();
    this.#ctx = ctx;
    this.#operation = operation;
    this.#stopTimeout = stopTimeout;
    this.#resolveCaller = resolveCaller;
    this.#rejectCaller = rejectCaller;
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
    if (!this.#isSettled) this.register(this.#ctx);
  }

  resolve(value: T): void {
    if (this.#isSettled) return;
    this.#value = value;
    this.#settle();
  }

  reject(error: unknown): void {
    if (this.#isSettled) return;
    this.#error = error;
    this.#hasFailed = true;
    this.#settle();
  }

  /** Finishes, unless a stop is under way. In that case, `#stop` finishes. */
  #settle(): void {
    this.#isSettled = true;
    if (this.#isStopping) {
      this.#onSettled?.();
      return;
    }
    this.unregister();
    this.#finish("stopped");
  }

  onDone(): void {
    if (!this.#isSettled) void this.#stop();
  }

  /** Never rejects. */
  async #stop(): Promise<void> {
    this.#isStopping = true;
    const settled = new Promise<void>((resolve) => (this.#onSettled = resolve));
    using limit = withTimeout(background(), this.#stopTimeout);
    const timedOut = new Promise<void>((_, reject) => void afterFunc(limit, reject));
    try {
      for (let pause = REPEAT_AFTER; !this.#isSettled; pause *= 2) {
        await Promise.race([this.#operation.stop(), timedOut]);
        if (!this.#isSettled) await Promise.race([settled, sleep(limit, pause)]);
      }
      this.#finish("stopped");
    } catch (reason) {
      const wasSettled = this.#isSettled;
      // Rejects before `destroy`, because the error that the destruction causes is not the
      // operation's outcome.
      if (!wasSettled) this.reject(this.#ctx.err());
      this.#operation.destroy(reason);
      this.#finish(wasSettled ? "stopped" : "abandoned");
    }
  }

  #finish(state: "stopped" | "abandoned"): void {
    this.#work?.end(state);
    this.#operation.release?.(state);
    if (!this.#hasFailed) this.#resolveCaller(this.#value as T);
    else this.#rejectCaller(this.#failure());
  }

  /**
   * Returns the error for the caller. Also checks errors of operations that `stop` was not called
   * for, because a server that enforces the deadline itself can be faster than the timer here, for
   * example after a pause of the process.
   */
  #failure(): unknown {
    const err = this.#ctx.err();
    return err !== undefined && this.#operation.isStop(this.#error) ? err : this.#error;
  }
}

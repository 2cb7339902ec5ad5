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
import { callAdapter } from "./call-adapter.ts";
import type { Operation, Resolver } from "./operation.ts";
import { Stopping } from "./stopping.ts";

/** The default stop timeout, in milliseconds. */
export const STOP_TIMEOUT = 2_000;

/** The default of `Operation.repeatAfter`. */
const REPEAT_AFTER = 50;

/**
 * Runs an operation, and stops it when `ctx` ends. `stopTimeout` is in milliseconds.
 *
 * Resolves with the operation's result, even if the result came after `ctx` had ended. Rejects with
 * `ctx.err()` if the stop or the destruction of the resource ended the operation. Rejects with the
 * operation's own error, unchanged, in every other case.
 *
 * @example
 * const report = await runStoppable(ctx, {
 *   kind: "reports.run",
 *   start: () => client.run(id),
 *   stop: async () => ((await client.cancel(id)) ? "proven" : "unproven"),
 *   isStop: (error) => error instanceof CanceledByServer,
 *   destroy: () => client.close(),
 * });
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
  #isAnswered = true;
  #value: T | undefined;
  #error: unknown;
  #judged: Failure | undefined;
  #stopping: Stopping | undefined;

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

  reject(error: unknown, options?: { readonly answered?: boolean }): void {
    if (this.#isSettled) return;
    this.#error = error;
    this.#hasFailed = true;
    this.#isAnswered = options?.answered ?? true;
    this.#settle();
  }

  /** Finishes, unless a stop is under way. In that case, `#stop` finishes. */
  #settle(): void {
    this.#isSettled = true;
    if (this.#stopping !== undefined) {
      this.#stopping.onSettled();
      return;
    }
    this.unregister();
    this.#finish();
  }

  onDone(): void {
    if (!this.#isSettled) void this.#stop();
  }

  /** Never rejects. */
  async #stop(): Promise<void> {
    const stopping = (this.#stopping = new Stopping());
    using limit = withTimeout(background(), this.#stopTimeout);
    const timedOut = new Promise<never>((_, reject) => void afterFunc(limit, reject));
    timedOut.catch(ignore); // `stop` may throw before anything waits for it
    try {
      let pause: number | undefined;
      while (!this.#isSettled) {
        const proof = await Promise.race([this.#operation.stop(stopping.signal), timedOut]);
        const isFirst = stopping.record(proof) === 1;
        if (this.#isSettled) break;
        const first = this.#operation.repeatAfter ?? REPEAT_AFTER;
        pause = pause === undefined || isFirst ? first : 2 * pause;
        await Promise.race([stopping.settled, sleep(limit, pause)]);
      }
      if (stopping.needsAnswer && this.#failure()?.provesStop === true) {
        const confirming = this.#operation.confirmStop?.();
        if (confirming !== undefined) {
          stopping.isDenied = !(await Promise.race([confirming, timedOut]));
        }
      }
    } catch (reason) {
      // Rejects before `destroy`, because the error that the destruction causes is not the
      // operation's outcome.
      this.reject(this.#ctx.err(), { answered: false });
      callAdapter("destroy", () => this.#operation.destroy(reason));
      stopping.wasDestroyed = true;
    }
    this.#finish();
  }

  #finish(): void {
    const operation = this.#operation;
    const failure = this.#failure();
    const state = this.#isAnswered ? "stopped" : "abandoned";
    this.#work?.end(state);
    if (operation.release !== undefined) {
      const proven = this.#stopping?.isProven(failure?.provesStop === true) ?? true;
      callAdapter("release", () => operation.release?.({ state, proven }));
    }
    if (failure === undefined) this.#resolveCaller(this.#value as T);
    else this.#rejectCaller(failure.error);
  }

  /** Returns how the operation has failed, or `undefined` if it has not. */
  #failure(): Failure | undefined {
    if (this.#hasFailed) this.#judged ??= this.#judge();
    return this.#judged;
  }

  /**
   * Also checks errors of operations that `stop` was not called for, because a server that enforces
   * the deadline itself can be faster than the timer here, for example after a pause of the process.
   */
  #judge(): Failure {
    const err = this.#ctx.err();
    const error = this.#error;
    if (err === undefined || err === error || !this.#isAnswered)
      return { error, provesStop: false };
    const isStop = callAdapter("isStop", () => this.#operation.isStop(error));
    if (isStop === true) return { error: err, provesStop: true };
    return { error: isStop === "unproven" ? err : error, provesStop: false };
  }
}

interface Failure {
  /** The error for the caller. */
  readonly error: unknown;
  /** Whether only a stop can have caused it. */
  readonly provesStop: boolean;
}

function ignore(): void {
  // The stop reports it.
}

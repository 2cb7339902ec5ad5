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

/**
 * What an adapter says about one operation: how it starts, how it is stopped, and what happens to
 * its resource. `runStoppable` calls the methods in the order in which they are listed here.
 *
 * Whatever these methods throw, the caller gets the outcome of the operation, and the process goes
 * on. An error that a method must not throw is reported as a process warning.
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
   *
   * A rejection of the promise counts as an answer of the other side. If some errors of the driver
   * are no answer, such as that of a broken connection, use `resolver.reject` instead.
   */
  start(resolver: Resolver<T>): PromiseLike<T> | undefined;
  /**
   * Asks the other side to stop the operation. Resolves when this request can do nothing more,
   * neither to this operation nor to the next one on the resource.
   *
   * Called when the context ends while the operation runs. It is called again and again while the
   * operation runs, after a pause that doubles each time, because most servers forget a request
   * that overtook its operation. Calls do not overlap.
   *
   * `signal` aborts when the operation has settled, and when the stop timeout has passed. A request
   * that was not sent by then need not be sent.
   *
   * If the request could not be sent, for example because the server refused the connection, resolve:
   * `stop` is called again. If `stop` throws or rejects, the effect of the request is unknown, so
   * the resource is destroyed.
   */
  stop(signal: AbortSignal): PromiseLike<StopProof>;
  /**
   * Destroys the resource, so that the operation and its stop can affect no other operation
   * afterwards. Called at most once, if `stop` has failed or the stop timeout has passed. `reason` is
   * the error of `stop`, or a context error if the stop timeout has passed. Must not throw.
   */
  destroy(reason: unknown): void;
  /**
   * Returns whether this error means that the other side stopped the operation, such as
   * PostgreSQL's 57014. Called at most once, if the operation has failed and its context is done.
   * If this method returns true, the caller gets `ctx.err()` instead of the error. Must not throw.
   */
  isStop(error: unknown): boolean;
  /**
   * Gives the resource back, unless `destroy` was called. Called once if `start` was called, also
   * after `destroy`, when neither the operation nor its stop can affect any other operation. Must
   * not throw.
   */
  release?(end: OperationEnd): void;
}

/** Takes the outcome of an operation. Only the first call counts. */
export interface Resolver<T> {
  /** The operation has succeeded. */
  resolve(value: T): void;
  /**
   * The operation has failed. Pass `answered: false` if the error is no answer of the other side:
   * the connection broke, and the operation may still run there. The receipt then says "abandoned".
   */
  reject(error: unknown, options?: { readonly answered?: boolean }): void;
}

/**
 * What a stop request that has ended proves.
 *
 * - "proven": the other side has confirmed that the request was consumed or dropped. An example is
 *   the server's answer to a KILL QUERY. A request that could not be sent is "proven" too.
 * - "unproven": the request can do nothing more if the other side is the server itself. A proxy in
 *   between may still hold it. An example is PostgreSQL's cancel request, which nothing answers.
 */
export type StopProof = "proven" | "unproven";

/** How an operation has ended, for its resource. */
export interface OperationEnd {
  /**
   * "abandoned" if the operation may still run on the other side: the resource was destroyed while
   * the operation ran, or the operation failed without an answer. Otherwise "stopped". It does not
   * say whether the resource still exists.
   */
  readonly state: "stopped" | "abandoned";
  /**
   * Whether no stop request of this operation can arrive any more, whatever lies in between. True if
   * there was no stop, if every `stop` was "proven", or if there was exactly one and the operation
   * was answered with an error that `isStop` recognizes. Never true after `destroy`.
   */
  readonly proven: boolean;
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
      for (let pause = REPEAT_AFTER; !this.#isSettled; pause *= 2) {
        stopping.count++;
        const proof = await Promise.race([this.#operation.stop(stopping.signal), timedOut]);
        if (proof === "proven") stopping.proven++;
        if (!this.#isSettled) await Promise.race([stopping.settled, sleep(limit, pause)]);
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
    const failure = this.#hasFailed ? this.#failure() : undefined;
    const state = this.#isAnswered ? "stopped" : "abandoned";
    this.#work?.end(state);
    if (operation.release !== undefined) {
      const proven = this.#stopping?.isProven(failure?.isStop === true) ?? true;
      callAdapter("release", () => operation.release?.({ state, proven }));
    }
    if (failure === undefined) this.#resolveCaller(this.#value as T);
    else this.#rejectCaller(failure.error);
  }

  /**
   * Returns the error for the caller. Also checks errors of operations that `stop` was not called
   * for, because a server that enforces the deadline itself can be faster than the timer here, for
   * example after a pause of the process.
   */
  #failure(): { readonly error: unknown; readonly isStop: boolean } {
    const err = this.#ctx.err();
    const error = this.#error;
    if (err === undefined || err === error || !this.#isAnswered) return { error, isStop: false };
    const isStop = callAdapter("isStop", () => this.#operation.isStop(error)) === true;
    return { error: isStop ? err : error, isStop };
  }
}

/** The stop of one operation, from the end of its context to its own end. */
class Stopping {
  /** How often `stop` was called. */
  count = 0;
  /** How many of these calls resolved with "proven". */
  proven = 0;
  wasDestroyed = false;
  readonly settled: Promise<void>;
  readonly #controller = new AbortController();
  #resolve: (() => void) | undefined;

  constructor() {
    this.settled = new Promise((resolve) => (this.#resolve = resolve));
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  onSettled(): void {
    this.#controller.abort();
    this.#resolve?.();
  }

  isProven(wasAnsweredAsStop: boolean): boolean {
    if (this.wasDestroyed) return false;
    return this.proven === this.count || (this.count === 1 && wasAnsweredAsStop);
  }
}

function ignore(): void {
  // The stop reports it.
}

/**
 * One request and its response, from the start until the body has ended: what can stop it, and what
 * is released at its end.
 *
 * `ctx.signal` is not passed to the platform. That would leave a listener on the context until the
 * garbage collector runs, and platforms differ in the error with which a stopped body rejects. So
 * the platform gets a signal that belongs to this exchange alone.
 */
import { afterFunc, background, startWork, withSignal, type AbortSignalLike } from "../index.ts";
import type { Context, Work } from "../index.ts";

export class Exchange {
  readonly #controller = new AbortController();
  readonly #work: Work;
  readonly #releases: (() => unknown)[] = [];
  #stopped: { reason: unknown } | undefined;
  #onStop: ((reason: unknown) => void) | undefined;
  #hasBody = false;
  #hasEnded = false;

  /** `signal` is the caller's own. It stops the exchange too, with its own reason. */
  constructor(ctx: Context, what: string, signal: AbortSignalLike | null | undefined) {
    if (signal?.aborted === true) this.stop(signal.reason);
    else if (signal) this.#watchSignal(signal);
    this.#work = startWork(ctx, "fetch", what);
  }

  /**
   * Watches a signal through a context, which needs one listener for all its watches. With a listener
   * for each exchange, Node 20 would warn at the eleventh.
   */
  #watchSignal(signal: AbortSignalLike): void {
    const signalCtx = withSignal(background(), signal);
    const unwatch = afterFunc(signalCtx, () => {
      this.stop(signal.reason);
      if (this.#hasBody) this.end();
    });
    this.#releases.push(unwatch, () => signalCtx.cancel());
  }

  /** The signal for the platform. */
  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /** The reason of the first stop, or `undefined` if the exchange was not stopped. */
  get stopped(): { readonly reason: unknown } | undefined {
    return this.#stopped;
  }

  /** Aborts the request. Only the first call counts. */
  stop(reason: unknown): void {
    if (this.#hasEnded || this.#stopped !== undefined) return;
    this.#stopped = { reason };
    this.#controller.abort(reason);
    this.#onStop?.(reason);
  }

  /** Calls `fn` when the exchange is stopped, or at once if it was stopped before. */
  onStop(fn: (reason: unknown) => void): void {
    if (this.#stopped === undefined) this.#onStop = fn;
    else fn(this.#stopped.reason);
  }

  /** Whether `error` is the platform's error after `stop(reason)`. */
  isStop(error: unknown, reason: unknown): boolean {
    if (this.#stopped === undefined || this.#stopped.reason !== reason) return false;
    const { name } = Object(error) as { name?: unknown };
    return error === reason || name === "AbortError" || name === "TimeoutError";
  }

  /** Lets `ctx` stop the body, after the response has arrived. */
  watchBody(ctx: Context): void {
    this.#hasBody = true;
    const unwatch = afterFunc(ctx, (err) => {
      this.stop(err);
      this.end();
    });
    this.#releases.push(unwatch);
    if (this.#stopped !== undefined) this.end(); // the signal stopped it before the response arrived
  }

  /**
   * Ends the exchange and its work. A stopped exchange counts as abandoned, because a server cannot
   * confirm in HTTP that it has stopped. Only the first call counts.
   */
  end(): void {
    if (this.#hasEnded) return;
    this.#hasEnded = true;
    for (const release of this.#releases.splice(0)) release();
    this.#work.end(this.#stopped === undefined ? "stopped" : "abandoned");
  }

  /** Stops and ends an exchange whose body can no longer be read. */
  abandon(): void {
    this.stop(undefined);
    this.end();
  }
}

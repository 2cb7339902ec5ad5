/**
 * One request and its response, from the start until the body is over: what can end it, and what
 * must be let go of then.
 *
 * The platform's own way, handing `ctx.signal` to `fetch`, leaves a listener on the context until
 * the garbage collector comes by, and differs from one platform to the next in what a body that
 * was cut off rejects with. So the platform gets a signal of this exchange alone.
 */
import { afterFunc, background, startWork, withSignal, type AbortSignalLike } from "../index.ts";
import type { Context, Work } from "../index.ts";

export class Exchange {
  readonly #controller = new AbortController();
  readonly #work: Work;
  readonly #letGo: (() => unknown)[] = [];
  #stopped: { reason: unknown } | undefined;
  #onStop: ((reason: unknown) => void) | undefined;
  #hasBody = false;
  #over = false;

  /** `signal` is the caller's own, which ends it too, with its own reason. */
  constructor(ctx: Context, what: string, signal: AbortSignalLike | null | undefined) {
    if (signal?.aborted === true) this.stop(signal.reason);
    else if (signal) this.#watchSignal(signal);
    this.#work = startWork(ctx, "fetch", what);
  }

  /** Not by a listener of our own: Node 20 warns at the eleventh, and a context needs but one for all. */
  #watchSignal(signal: AbortSignalLike): void {
    const joined = withSignal(background(), signal);
    const takeBack = afterFunc(joined, () => {
      this.stop(signal.reason);
      if (this.#hasBody) this.end();
    });
    this.#letGo.push(takeBack, () => joined.cancel());
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /** Why it was stopped, if it was. */
  get stopped(): { readonly reason: unknown } | undefined {
    return this.#stopped;
  }

  /** The first reason counts. */
  stop(reason: unknown): void {
    if (this.#over || this.#stopped !== undefined) return;
    this.#stopped = { reason };
    this.#controller.abort(reason);
    this.#onStop?.(reason);
  }

  /** Calls `fn` when it is stopped; at once if it has been. */
  onStop(fn: (reason: unknown) => void): void {
    if (this.#stopped === undefined) this.#onStop = fn;
    else fn(this.#stopped.reason);
  }

  /** Whether `error` is what the platform makes of `stop(reason)`. */
  isStop(error: unknown, reason: unknown): boolean {
    if (this.#stopped === undefined || this.#stopped.reason !== reason) return false;
    const { name } = Object(error) as { name?: unknown };
    return error === reason || name === "AbortError" || name === "TimeoutError";
  }

  /** The response has come; from now on it ends when its body does, or is stopped here. */
  watchBody(ctx: Context): void {
    this.#hasBody = true;
    const takeBack = afterFunc(ctx, (err) => {
      this.stop(err);
      this.end();
    });
    this.#letGo.push(takeBack);
    if (this.#stopped !== undefined) this.end(); // by the signal, while the response was on its way
  }

  /**
   * It is over. One that was stopped counts as lost: HTTP has no word with which a server could say
   * that it has stopped too. Idempotent.
   */
  end(): void {
    if (this.#over) return;
    this.#over = true;
    for (const letGo of this.#letGo.splice(0)) letGo();
    this.#work.end(this.#stopped === undefined ? "stopped" : "abandoned");
  }

  /** Nobody can read its body any more. */
  abandon(): void {
    this.stop(undefined);
    this.end();
  }
}

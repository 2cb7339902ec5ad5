/** A connection that a function has for its own while it runs: a transaction, say. */
import { merge, withCancel, type CancelableContext, type Context } from "../index.ts";

/** As `aside` of `Loan.run`. */
export const STREAM = "a stream";

/**
 * What is started on the connection ends with the function: nothing of it can reach whoever has the
 * connection next. Also tells misuse that would otherwise wait for ever, or write into the wrong
 * savepoint.
 */
export class ConnectionScope {
  readonly #what: string;
  readonly #ctx: Context;
  readonly #scope: CancelableContext;
  readonly #inFlight = new Set<Promise<unknown>>();
  #busyWith: string | undefined;
  #over = false;

  /** `what` it is for, in messages: "transaction". */
  constructor(ctx: Context, what: string) {
    this.#what = what;
    this.#ctx = ctx;
    this.#scope = withCancel(ctx);
  }

  /**
   * Starts an operation under a context that ends with `ctx` and with the loan. `aside`, as "a
   * stream", is one that needs the connection to itself: until it is over, others are refused.
   */
  run<T>(ctx: Context, start: (ctx: Context) => Promise<T>, aside?: string): Promise<T> {
    const misuse = this.#misuse();
    if (misuse !== undefined) return Promise.reject(new TypeError(misuse));
    const running = this.#under(ctx, start);
    this.#inFlight.add(running);
    if (aside !== undefined) this.#busyWith = aside;
    const over = (): void => {
      this.#inFlight.delete(running);
      if (aside !== undefined) this.#busyWith = undefined;
    };
    running.then(over, over);
    return running;
  }

  /**
   * The function is over. Waits for what it left running, or stops it if it has `failed`; then it
   * never rejects. Rejects with a TypeError if it has left a stream open, which nobody may be
   * reading: then call it again, with that.
   */
  async end(failed?: { error: unknown }): Promise<void> {
    this.#over = true;
    if (failed === undefined && this.#busyWith === STREAM) {
      throw new TypeError(
        `the function of this ${this.#what} has returned and left a stream open; read it to its end, or leave its loop`,
      );
    }
    if (failed !== undefined) this.#scope.cancel(failed.error);
    while (this.#inFlight.size > 0) await Promise.allSettled(this.#inFlight);
    this.#scope[Symbol.dispose]();
  }

  async #under<T>(ctx: Context, start: (ctx: Context) => Promise<T>): Promise<T> {
    if (ctx === this.#ctx) return await start(this.#scope);
    const both = merge(ctx, this.#scope);
    try {
      return await start(both);
    } finally {
      both[Symbol.dispose]();
    }
  }

  #misuse(): string | undefined {
    if (this.#over) {
      return `the ${this.#what} is over; await everything that uses it before its function returns`;
    }
    if (this.#busyWith !== undefined) {
      return `the connection of this ${this.#what} is busy with ${this.#busyWith}; finish that first, or use what it was given`;
    }
    return undefined;
  }
}

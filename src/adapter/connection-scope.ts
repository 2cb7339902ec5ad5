/** The use of a connection by one function, such as that of a transaction. */
import { merge, withCancel, type CancelableContext, type Context } from "../index.ts";
import { CleanupTime } from "./cleanup-time.ts";

/** The `exclusiveUse` of a stream, for `ConnectionScope.run`. */
export const STREAM = "a stream";

/**
 * When a function ends, ends everything that it has started on its connection, so that none of it
 * reaches the next user of the connection. Also rejects misuse that would wait for ever or write
 * into the wrong savepoint.
 */
export class ConnectionScope {
  readonly #purpose: string;
  readonly #ctx: Context;
  /** Ends when `#ctx` ends, or when the function has failed. */
  readonly #scopeCtx: CancelableContext;
  readonly #cleanupTime: CleanupTime | undefined;
  readonly #running = new Set<Promise<unknown>>();
  #exclusiveUse: string | undefined;
  #hasEnded = false;

  /**
   * `purpose` names the use in messages, such as "transaction". If `cleanupTime` is given, operations
   * under contexts that are live may run after the end of `ctx`: until their own deadline, or for
   * `cleanupTime` milliseconds from that end if they have none.
   */
  constructor(ctx: Context, purpose: string, cleanupTime?: number) {
    this.#purpose = purpose;
    this.#ctx = ctx;
    this.#scopeCtx = withCancel(ctx);
    if (cleanupTime !== undefined) this.#cleanupTime = new CleanupTime(ctx, cleanupTime);
  }

  /**
   * Starts an operation under a context that ends with `ctx` and with this scope. An operation that
   * needs the connection for itself passes its name as `exclusiveUse`, such as "a stream". Until it
   * has ended, all others reject with a TypeError.
   */
  run<T>(ctx: Context, start: (ctx: Context) => Promise<T>, exclusiveUse?: string): Promise<T> {
    const misuse = this.#misuse();
    if (misuse !== undefined) return Promise.reject(new TypeError(misuse));
    const running = this.#startUnderBoth(ctx, start);
    this.#running.add(running);
    if (exclusiveUse !== undefined) this.#exclusiveUse = exclusiveUse;
    const end = (): void => {
      this.#running.delete(running);
      if (exclusiveUse !== undefined) this.#exclusiveUse = undefined;
    };
    running.then(end, end);
    return running;
  }

  /**
   * Ends the scope, after the function has returned or `failed`. Waits for the operations that are
   * still running. If the function has failed, stops them first, and never rejects.
   *
   * Rejects with a TypeError if the function has left a stream open, because that stream
   * might never be read to its end. The caller must then call `end` again, with this error.
   */
  async end(failed?: { error: unknown }): Promise<void> {
    this.#hasEnded = true;
    if (failed === undefined && this.#exclusiveUse === STREAM) {
      throw new TypeError(
        `the function of this ${this.#purpose} has returned and left a stream open; read it to its end, or leave its loop`,
      );
    }
    if (failed !== undefined) {
      this.#scopeCtx.cancel(failed.error);
      this.#cleanupTime?.cancel(failed.error);
    }
    while (this.#running.size > 0) await Promise.allSettled(this.#running);
    this.#scopeCtx[Symbol.dispose]();
    this.#cleanupTime?.[Symbol.dispose]();
  }

  async #startUnderBoth<T>(ctx: Context, start: (ctx: Context) => Promise<T>): Promise<T> {
    if (ctx === this.#ctx) return await start(this.#scopeCtx);
    const both = merge(ctx, this.#cleanupTime?.limitFor(ctx) ?? this.#scopeCtx);
    try {
      return await start(both);
    } finally {
      both[Symbol.dispose]();
    }
  }

  #misuse(): string | undefined {
    if (this.#hasEnded) {
      return `the ${this.#purpose} has ended; await everything that uses it before its function returns`;
    }
    if (this.#exclusiveUse !== undefined) {
      return `the connection of this ${this.#purpose} is busy with ${this.#exclusiveUse}; finish that first, or use what its function was given`;
    }
    return undefined;
  }
}

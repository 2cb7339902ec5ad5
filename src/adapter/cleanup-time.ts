/** How long statements may run on a connection after the context of its function has ended. */
import { afterFunc, sleep, withCancel, withoutCancel, withSignal } from "../index.ts";
import type { CancelableContext, Context, Stop } from "../index.ts";

/**
 * The time that the function of `connection` has for its clean-up, such as the release of a lock.
 *
 * When the context of the function ends, statements under that context stop. A statement under
 * another context that is live, such as that of `shield`, has until its own deadline. Without a
 * deadline it has `ms` milliseconds from the end.
 */
export class CleanupTime {
  /** Ends when the function has failed, or when the scope of the connection has ended. */
  readonly #function: CancelableContext;
  /** Also ends `ms` milliseconds after the context, with the same error. */
  readonly #limited: CancelableContext;
  readonly #unregister: Stop;

  constructor(ctx: Context, ms: number) {
    const timeIsUp = new AbortController();
    this.#function = withCancel(withoutCancel(ctx));
    this.#limited = withSignal(this.#function, timeIsUp.signal);
    this.#unregister = afterFunc(ctx, (err) => {
      sleep(this.#function, ms).then(
        () => timeIsUp.abort(err),
        () => undefined,
      );
    });
  }

  /** Returns the context that ends a statement under `ctx`, in addition to `ctx`. */
  limitFor(ctx: Context): Context {
    return ctx.deadline() === undefined ? this.#limited : this.#function;
  }

  /** Stops the statements that still run. */
  cancel(cause: unknown): void {
    this.#function.cancel(cause);
  }

  [Symbol.dispose](): void {
    this.#unregister();
    this.#limited[Symbol.dispose]();
    this.#function[Symbol.dispose]();
  }
}

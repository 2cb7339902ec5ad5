/** A subscription whose messages are answered, from its beginning to its end. */
import { afterFunc, background, sleep, throwIfDone, withCancel, type Context } from "../index.ts";
import { answer, type Handler } from "./answer.ts";
import type { Connection } from "./connection.ts";
import type { ContextSubscription, SubscriptionLike } from "./types.ts";

/** The cause of the cancellation of handlers that have not finished within the grace period. */
export class ResponderDrained extends Error {
  readonly code = "ERR_RESPONDER_DRAINED";
  constructor() {
    super("the responder is being drained, and its grace period has passed");
    this.name = "ResponderDrained";
  }
}

export class AnsweredSubscription implements ContextSubscription {
  readonly closed: Promise<Error | undefined>;
  readonly #connection: Connection;
  readonly #gracePeriod: number;
  readonly #scope: ReturnType<typeof withCancel>;
  readonly #subscription: SubscriptionLike;
  readonly #running = new Set<Promise<void>>();
  #drained: Promise<void> | undefined;

  constructor(
    ctx: Context,
    connection: Connection,
    subject: string,
    handler: Handler,
    { queue, gracePeriod }: { readonly queue?: string | undefined; readonly gracePeriod: number },
  ) {
    throwIfDone(ctx);
    this.#connection = connection;
    this.#gracePeriod = gracePeriod;
    const scope = (this.#scope = withCancel(ctx));
    this.#subscription = connection.driver.subscribe(subject, {
      ...(queue !== undefined && { queue }),
      callback: (error, message) => {
        if (error !== null) return; // `closed` reports it
        const running = answer(scope, connection, message, handler).finally(() =>
          this.#running.delete(running),
        );
        this.#running.add(running);
      },
    });
    this.closed = this.#subscription.closed as Promise<Error | undefined>;
    const removeListener = connection.onClosed((error) => scope.cancel(error));
    afterFunc(scope, () => {
      removeListener();
      if (!connection.driver.isClosed()) this.#subscription.unsubscribe();
    });
  }

  drain(): Promise<void> {
    return (this.#drained ??= this.#drain());
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.drain();
  }

  async #drain(): Promise<void> {
    const { driver, stopTimeout } = this.#connection;
    await ignoreClosed(() => this.#subscription.drain());
    await this.#idle(this.#gracePeriod);
    this.#scope.cancel(new ResponderDrained());
    await this.#idle(stopTimeout);
    await ignoreClosed(() => driver.flush());
  }

  /** Resolves when no handler runs, or after `ms` milliseconds. */
  async #idle(ms: number): Promise<void> {
    using limit = withCancel(background());
    await Promise.race([Promise.all(this.#running), sleep(limit, ms)]);
  }
}

/** Of a connection or subscription that is closed already, there is nothing to drain. */
async function ignoreClosed(call: () => Promise<void>): Promise<void> {
  try {
    await call();
  } catch {
    // The driver says that it is closed.
  }
}

/** A connection of the driver, and what must be told when it is closed. */
import type { ConnectionLike, HeadersLike, MessageLike, SubscriptionLike } from "./types.ts";

/** The driver's connection with the types that all drivers share. */
export interface Driver {
  closed(): Promise<unknown>;
  isClosed(): boolean;
  flush(): Promise<void>;
  publish(subject: string, payload?: Uint8Array | string): void;
  subscribe(
    subject: string,
    options: { queue?: string; callback: (error: Error | null, message: MessageLike) => void },
  ): SubscriptionLike;
  request(
    subject: string,
    payload: Uint8Array | string | undefined,
    options: { timeout: number; noMux: boolean; reply: string; headers: HeadersLike },
  ): Promise<MessageLike>;
}

type ClosedListener = (error: unknown) => void;

/**
 * The driver leaves a request pending for ever if its connection is closed. Everything that waits
 * registers here, because a callback on the promise of `closed()` could never be removed.
 */
export class Connection {
  readonly driver: Driver;
  readonly createHeaders: () => HeadersLike;
  readonly stopTimeout: number;
  readonly inboxPrefix: string;
  readonly #listeners = new Set<ClosedListener>();

  constructor(
    connection: ConnectionLike,
    createHeaders: () => HeadersLike,
    stopTimeout: number,
    inboxPrefix: string,
  ) {
    this.driver = connection as unknown as Driver;
    this.createHeaders = createHeaders;
    this.stopTimeout = stopTimeout;
    this.inboxPrefix = inboxPrefix;
    void this.#waitForClose();
  }

  /** Registers a callback that must not throw, and returns a function that removes it. */
  onClosed(listener: ClosedListener): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  async #waitForClose(): Promise<void> {
    const reason = await this.driver.closed().catch((error: unknown) => error);
    // A call on a closed connection rejects with the driver's own error.
    const error = reason ?? (await this.driver.flush().catch((error: unknown) => error));
    for (const listener of this.#listeners) listener(error);
    this.#listeners.clear();
  }
}

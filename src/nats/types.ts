/** The parts of a NATS driver that are used here, and the types of what `withContext` returns. */
import type { Context } from "../index.ts";

/** What a message carries. */
export type Payload = Uint8Array | string;

/** The headers of a message, which `headers()` of the driver creates. */
export interface HeadersLike extends Iterable<[string, string[]]> {
  append(name: string, value: string): void;
  set(name: string, value: string): void;
  values(name: string): string[];
}

/** A message of the driver. */
export interface MessageLike {
  readonly reply?: string;
  readonly headers?: HeadersLike;
  readonly data: Uint8Array;
  string(): string;
  respond(payload?: Payload, options?: { headers?: never }): boolean;
}

/** A subscription of the driver. */
export interface SubscriptionLike {
  readonly closed: Promise<unknown>;
  unsubscribe(): void;
  drain(): Promise<void>;
}

/** A connection of the driver: a `NatsConnection` of `@nats-io/transport-node`. */
export interface ConnectionLike {
  closed(): Promise<unknown>;
  isClosed(): boolean;
  flush(): Promise<void>;
  publish(subject: string, payload?: Payload): void;
  subscribe(
    subject: string,
    options?: { queue?: string; callback?: (error: Error | null, message: never) => void },
  ): SubscriptionLike;
  request(
    subject: string,
    payload?: Payload,
    options?: { timeout: number; noMux?: boolean; reply?: string; headers?: never },
  ): Promise<MessageLike>;
}

/** The driver's own type of a message. */
export type MessageOf<C extends ConnectionLike> = Awaited<ReturnType<C["request"]>>;

/** The driver's own type of headers. */
export type HeadersOf<C extends ConnectionLike> = NonNullable<MessageOf<C>["headers"]>;

/** Options of `withContext`. */
export interface WithContextOptions<C extends ConnectionLike> {
  /** The function `headers` of the driver. A connection cannot create headers itself. */
  headers: () => HeadersOf<C>;
  /** Milliseconds that a responder may take to confirm a stop. Default: 2,000. */
  stopTimeout?: number;
  /** The first part of the subject of replies. Set what `connect` was given. Default: `"_INBOX"`. */
  inboxPrefix?: string;
}

/** Options of `request`. */
export interface ContextRequestOptions<C extends ConnectionLike> {
  /** Headers to send. They are not changed. A deadline among them is only ever shortened. */
  headers?: HeadersOf<C>;
  /**
   * Milliseconds that are subtracted from the remaining time in the header, because the reply needs
   * time to arrive. Default: 5.
   */
  margin?: number;
  /** The time that the request needs, in milliseconds. Default: 0. */
  minimum?: number;
}

/** Options of `serve`. */
export interface ContextServeOptions {
  /** The queue group. Each request goes to one member of the group. Default: none. */
  queue?: string;
  /** How long handlers may take after `drain` was called, in milliseconds. Default: 7,000. */
  gracePeriod?: number;
}

/** Answers one request with the payload of the reply. It may be async. */
export type ContextMessageHandler<C extends ConnectionLike> = (
  ctx: Context,
  message: MessageOf<C>,
) => Payload | undefined | PromiseLike<Payload | undefined>;

/** A subscription whose messages are answered. */
export interface ContextSubscription extends AsyncDisposable {
  /**
   * Takes no new messages, and lets the running handlers finish within the grace period. Cancels the
   * others, with the cause `ResponderDrained`. Resolves when the replies have reached the server, or
   * when canceled handlers have not ended within the stop timeout. Never rejects.
   */
  drain(): Promise<void>;
  /**
   * Resolves when no more messages arrive, with the driver's error if that ended the subscription, such
   * as a missing permission. Handlers may still run.
   */
  readonly closed: Promise<Error | undefined>;
}

/** Requests and responders with a context. */
export interface ContextConnection<C extends ConnectionLike> {
  /**
   * Sends a request and resolves with the reply. Sends the remaining time of `ctx` in the header
   * `x-request-timeout-ms`. Throws `BudgetTooSmallError`, and sends nothing, if too little is left.
   *
   * When `ctx` ends, the responder is sent a cancel message, and the promise waits for its reply for up
   * to the stop timeout. It rejects with `ctx.err()`, or resolves if a reply was faster. The receipt
   * says "stopped" if the responder has confirmed that its handler and the work in its ledger have
   * ended. Otherwise it says "abandoned".
   *
   * The deadline of a responder is earlier by the margin. With the default margin, the promise waits for
   * the end of `ctx` if that deadline passes first. With a longer one, or with a deadline of your own in
   * `headers`, it rejects at once with a `DeadlineExceededError` whose cause is a `CalleeDeadline`.
   *
   * An error of the responder's handler arrives with its name, message, code and causes. If the
   * responder's context ended for a reason of the responder, the error is a `CalleeEndedError`. Errors
   * of the driver are unchanged, such as that for a subject without responders.
   */
  request(
    ctx: Context,
    subject: string,
    payload?: Payload,
    options?: ContextRequestOptions<C>,
  ): Promise<MessageOf<C>>;
  /**
   * Subscribes, and answers each request with what `handler` returns. If `handler` throws, the reply
   * carries its error. A message that asks for no reply is handled too, and its error is lost.
   *
   * Each handler gets a context with a ledger of its own. It ends when the caller's deadline passes,
   * when the caller cancels, when `drain` has waited for the grace period, when the connection is
   * closed, and when `ctx` ends. The end of `ctx` also ends the subscription. When the handler has
   * settled, its context is canceled.
   *
   * Headers are not trusted: a malformed deadline is ignored. The reply after a cancellation is sent
   * when the handler has settled and no work of its ledger runs any more.
   *
   * Throws `ctx.err()` if `ctx` is done. The number of handlers at once is not limited.
   */
  serve(
    ctx: Context,
    subject: string,
    handler: ContextMessageHandler<C>,
    options?: ContextServeOptions,
  ): ContextSubscription;
}

/** One request: what is sent, how it is stopped, and what its reply means. */
import { runStoppable, type Operation, type Resolver, type StopProof } from "../adapter/index.ts";
import { afterFunc, remaining, type Context } from "../index.ts";
import { toCancelMessage } from "../wire/cancel-message.ts";
import { calleeError, CalleeDeadline } from "../wire/callee-error.ts";
import { DEFAULT_MARGIN, formatDeadline, type SentDeadline } from "../wire/deadline.ts";
import { parseError } from "../wire/error-text.ts";
import { DEADLINE_HEADER, ERROR_HEADER } from "../wire/headers.ts";
import type { Connection } from "./connection.ts";
import { ABANDONED_HEADER, CANCEL_ID_HEADER, cancelSubject, headerOf } from "./protocol.ts";
import type { HeadersLike, MessageLike, Payload } from "./types.ts";

/** The driver demands a timeout. The context limits the time, so this is the longest of `setTimeout`. */
const NO_TIMEOUT = 2 ** 31 - 1;

/** How much earlier the deadline of a responder can be: the default margin, the rounding, and a timer. */
const ALMOST_DONE = DEFAULT_MARGIN + 2;

export interface SendOptions {
  readonly headers?: HeadersLike;
  readonly margin?: number;
  readonly minimum?: number;
}

/** Sends a request. Throws as `formatDeadline` does if too little time is left. */
export async function sendRequest(
  ctx: Context,
  connection: Connection,
  subject: string,
  payload: Payload | undefined,
  options: SendOptions,
): Promise<MessageLike> {
  const { margin, minimum, headers: own } = options;
  const sent = formatDeadline(ctx, {
    what: `a request to ${subject}`,
    own: headerOf(own, DEADLINE_HEADER),
    ...(margin !== undefined && { margin }),
    ...(minimum !== undefined && { minimum }),
  });
  const headers = connection.createHeaders();
  for (const [name, values] of own ?? []) {
    for (const value of values) headers.append(name, value);
  }
  if (sent !== undefined) headers.set(DEADLINE_HEADER, sent.text);
  const request = new RunningRequest(ctx, connection, subject, payload, headers, sent);
  return await runStoppable(ctx, request, connection.stopTimeout);
}

class RunningRequest implements Operation<MessageLike> {
  readonly kind = "nats.request";
  readonly what: string;
  readonly #ctx: Context;
  readonly #connection: Connection;
  readonly #payload: Payload | undefined;
  readonly #headers: HeadersLike;
  readonly #sent: SentDeadline | undefined;
  /** Both cannot be guessed, so that no other caller can cancel this request. */
  readonly #id = crypto.randomUUID();
  readonly #inbox: string;
  #removeListener: (() => void) | undefined;
  #hasReply = false;

  constructor(
    ctx: Context,
    connection: Connection,
    subject: string,
    payload: Payload | undefined,
    headers: HeadersLike,
    sent: SentDeadline | undefined,
  ) {
    this.#ctx = ctx;
    this.#connection = connection;
    this.what = subject;
    this.#payload = payload;
    this.#headers = headers;
    this.#sent = sent;
    this.#inbox = `${connection.inboxPrefix}.${crypto.randomUUID()}`;
    headers.set(CANCEL_ID_HEADER, this.#id);
  }

  start(resolver: Resolver<MessageLike>): undefined {
    this.#removeListener = this.#connection.onClosed((error) =>
      resolver.reject(error, { answered: false }),
    );
    void this.#send(resolver);
    return undefined;
  }

  /** Never rejects. */
  async #send(resolver: Resolver<MessageLike>): Promise<void> {
    try {
      const reply = await this.#connection.driver.request(this.what, this.#payload, {
        timeout: NO_TIMEOUT,
        noMux: true, // so that the inbox is known, and belongs to this request only
        reply: this.#inbox,
        headers: this.#headers,
      });
      this.#onReply(reply, resolver);
    } catch (error) {
      const answered = isNoResponders(error);
      if (!answered) this.#endSubscription(); // the driver keeps it if it could not send
      resolver.reject(error, { answered });
    }
  }

  #onReply(reply: MessageLike, resolver: Resolver<MessageLike>): void {
    this.#hasReply = true;
    const text = headerOf(reply.headers, ERROR_HEADER);
    if (text === undefined) {
      resolver.resolve(reply);
      return;
    }
    const answered = headerOf(reply.headers, ABANDONED_HEADER) === undefined;
    const error = calleeError(this.#ctx, parseError(text), this.#sent);
    if (error.cause instanceof CalleeDeadline && remaining(this.#ctx) <= ALMOST_DONE) {
      // The caller gets `ctx.err()` itself, and a receipt.
      afterFunc(this.#ctx, (err) => resolver.reject(err, { answered }));
    } else {
      resolver.reject(error, { answered });
    }
  }

  // eslint-disable-next-line @typescript-eslint/require-await -- if `publish` throws, this rejects
  async stop(): Promise<StopProof> {
    if (this.#hasReply) return "proven";
    const message = toCancelMessage(this.#id, this.#ctx.err());
    this.#connection.driver.publish(cancelSubject(this.#inbox), JSON.stringify(message));
    return "proven"; // no other request has this inbox
  }

  /** The connection serves other requests, so only the subscription ends. */
  destroy(): void {
    this.#endSubscription();
  }

  /** The driver cannot withdraw a request, but any reply ends it. */
  #endSubscription(): void {
    try {
      this.#connection.driver.publish(this.#inbox);
    } catch {
      // The connection is closed, and its subscriptions with it.
    }
  }

  /** `calleeError` has recognized it. */
  isStop(): boolean {
    return false;
  }

  release(): void {
    this.#removeListener?.();
  }
}

/** Returns whether the server says that the subject has no subscribers, so that nothing runs. */
function isNoResponders(error: unknown): boolean {
  const { isNoResponders } = Object(error) as { isNoResponders?: () => boolean };
  return typeof isNoResponders === "function" && isNoResponders.call(error);
}

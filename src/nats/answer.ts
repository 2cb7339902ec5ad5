/** One request on the side of its responder, from its message to its reply. */
import { stopped, withCancel, withLedger, withTimeout, type Context } from "../index.ts";
import { finishRequest } from "../internal.ts";
import { fromCancelMessage } from "../wire/cancel-message.ts";
import { formatError } from "../wire/error-text.ts";
import { parseDeadline } from "../wire/grammar.ts";
import { DEADLINE_HEADER, ERROR_HEADER } from "../wire/headers.ts";
import type { Connection } from "./connection.ts";
import {
  ABANDONED_HEADER,
  CANCEL_ID_HEADER,
  cancelSubject,
  headerOf,
  isPlainSubject,
} from "./protocol.ts";
import type { MessageLike, Payload } from "./types.ts";

export type Handler = (ctx: Context, message: MessageLike) => unknown;

/** Calls the handler and replies. Never rejects. */
export async function answer(
  parent: Context,
  connection: Connection,
  message: MessageLike,
  handler: Handler,
): Promise<void> {
  using canceled = withCancel(withLedger(parent));
  const ms = parseDeadline(headerOf(message.headers, DEADLINE_HEADER));
  using ctx = ms === undefined ? withCancel(canceled) : withTimeout(canceled, ms);
  const unsubscribe = onCancelMessage(connection, message, (error) => canceled.cancel(error));
  try {
    const payload = await handler(ctx, message);
    message.respond(payload as Payload | undefined); // throws if it is not a payload, or too long
  } catch (error) {
    await replyWithError(ctx, connection, message, error);
  } finally {
    unsubscribe();
    finishRequest(ctx, () => ctx[Symbol.dispose]());
  }
}

/** Waits for the end of all work if the context is done, because the reply confirms the stop. */
async function replyWithError(
  ctx: Context,
  connection: Connection,
  message: MessageLike,
  error: unknown,
): Promise<void> {
  const receipts = ctx.err() === undefined ? [] : await stopped(ctx);
  try {
    const headers = connection.createHeaders();
    headers.set(ERROR_HEADER, formatError(error));
    if (receipts.some(({ state }) => state !== "stopped")) headers.set(ABANDONED_HEADER, "1");
    message.respond("", { headers: headers as never });
  } catch {
    // The connection is closed, or `headers` of the user throws. So the caller cannot be told.
  }
}

/**
 * Calls `cancel` when a cancel message for this request arrives. Returns a function that ends this.
 * What a message contains is not trusted: it never throws.
 */
function onCancelMessage(
  { driver }: Connection,
  { reply = "", headers }: MessageLike,
  cancel: (error: Error) => void,
): () => void {
  const id = headerOf(headers, CANCEL_ID_HEADER);
  if (id === undefined || !isPlainSubject(reply)) return () => undefined;
  try {
    const subscription = driver.subscribe(cancelSubject(reply), {
      callback(error, message) {
        const received = error === null ? fromCancelMessage(message.string()) : undefined;
        if (received?.id === id) cancel(received.error);
      },
    });
    return () => {
      if (!driver.isClosed()) subscription.unsubscribe();
    };
  } catch {
    return () => undefined; // the connection is being drained, so the request cannot be canceled
  }
}

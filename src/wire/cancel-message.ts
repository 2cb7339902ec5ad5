/** The message with which a caller cancels a request that it has sent before. */
import { dataOf, toShortWire } from "./error-text.ts";
import { readProperty } from "../internal.ts";
import { fromWire, type WireError } from "./error.ts";

/** The `kind` of a cancel message. It tells a cancel message from other messages on the same channel. */
export const CANCEL_KIND = "eightysix.cancel";

/** A cancel message, as plain data for JSON and `structuredClone`. */
export interface CancelMessage {
  kind: typeof CANCEL_KIND;
  /** The request to cancel, under the name that its caller gave it. Not empty. */
  id: string;
  /** Why, as plain data: the caller's `ctx.err()`. */
  error: WireError;
}

/**
 * Returns the message that cancels the request `id`. `error` is the caller's `ctx.err()`, cut as
 * `formatError` does.
 *
 * @example
 * afterFunc(ctx, (err) => connection.publish(subject, JSON.stringify(toCancelMessage(id, err))));
 */
export function toCancelMessage(id: string, error: unknown): CancelMessage {
  return { kind: CANCEL_KIND, id, error: toShortWire(error) };
}

/**
 * Reads a cancel message, which is plain data or its JSON. Returns the request to cancel and the
 * error to cancel it with, or `undefined` if `message` is no cancel message. It does not trust its
 * argument, and never throws.
 *
 * Check that the sender of the message may cancel that request: an `id` that others can guess does
 * not prove it.
 *
 * @example
 * const canceled = fromCancelMessage(message.string());
 * if (canceled) running.get(canceled.id)?.cancel(canceled.error);
 */
export function fromCancelMessage(
  message: unknown,
): { readonly id: string; readonly error: Error } | undefined {
  const data = dataOf(message);
  if (typeof data !== "object" || data === null) return undefined;
  const id = readProperty(data, "id");
  if (readProperty(data, "kind") !== CANCEL_KIND) return undefined;
  if (typeof id !== "string" || id === "") return undefined;
  return { id, error: fromWire(readProperty(data, "error")) };
}

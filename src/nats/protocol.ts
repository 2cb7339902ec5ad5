/**
 * What a caller and a responder agree on. The caller's reply subject is an inbox that it uses once. The
 * request carries an id in a header. While a responder handles the request, it subscribes to
 * `<reply subject>.cancel`, and cancels the handler's context when a cancel message with that id arrives.
 *
 * So a cancel message reaches the one member of a queue group that took the request. A late one reaches
 * no subscription, because no other request has the same reply subject. One that overtakes its request
 * is lost, and `runStoppable` sends the next one.
 *
 * The only reply is also the confirmation of the stop.
 */
import type { HeadersLike } from "./types.ts";

/** The header for the id that a cancel message must have. Without it, a request cannot be canceled. */
export const CANCEL_ID_HEADER = "x-request-cancel-id";

/** The header of a reply whose responder could not confirm that all its work has stopped. */
export const ABANDONED_HEADER = "x-request-abandoned";

/** Returns the subject for cancel messages of the request with this reply subject. */
export function cancelSubject(reply: string): string {
  return `${reply}.cancel`;
}

/** Returns whether a subject names exactly one subject: no wildcards, no space, no empty part. */
export function isPlainSubject(subject: string): boolean {
  return /^[^\s.*>]+(\.[^\s.*>]+)*$/.test(subject);
}

/** Returns the value of a header, or `undefined` if it is missing or occurs twice. */
export function headerOf(headers: HeadersLike | undefined, name: string): string | undefined {
  const values = headers?.values(name) ?? [];
  return values.length === 1 ? values[0] : undefined;
}

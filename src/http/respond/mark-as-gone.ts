/** What a logger sees of a response whose client has disconnected. */
import type { WritableResponseLike } from "../types.ts";
import { isTaken, takeOver } from "./take-over.ts";

/** Shared by all copies of the package, because two of them may serve one request. */
const GONE = Symbol.for("eightysix.http.gone");
type Marked = { [GONE]?: true };

/**
 * Gives a response that has not begun the status 499, because its client has disconnected. A response
 * that has begun keeps its status. Both hold for an answer of this package too, which other middleware
 * may hold back.
 *
 * `headersSent` is true while the disconnect is reported: morgan and pino-http print the status of a
 * response only if its headers were sent. Later it is false again. Otherwise, frameworks would close
 * the connection of a handler that goes on without its client, and would not end its response.
 *
 * `statusCode` stays 499 for such a handler, until it sets another status.
 */
export function markAsGone(res: WritableResponseLike & Marked): void {
  if (res.headersSent) return;
  // An answer may hide from others that its head was sent.
  if (isTaken(res)) takeOver(res).answer(() => setStatus(res));
  else setStatus(res);
  const get = (): boolean => true;
  const before = Reflect.getOwnPropertyDescriptor(res, "headersSent");
  Reflect.defineProperty(res, "headersSent", { get, configurable: true });
  const restore = (): void => {
    if (Reflect.getOwnPropertyDescriptor(res, "headersSent")?.get !== get) return;
    if (before) Reflect.defineProperty(res, "headersSent", before);
    else Reflect.deleteProperty(res, "headersSent");
  };
  setImmediate(() => setImmediate(restore)); // a logger may wait for a turn
}

function setStatus(res: WritableResponseLike & Marked): void {
  if (res.headersSent) return;
  res[GONE] = true;
  res.statusCode = 499;
}

/** Returns whether the head of the response was really sent. */
export function hasBegun(res: WritableResponseLike & Marked): boolean {
  return res.headersSent && res[GONE] !== true;
}

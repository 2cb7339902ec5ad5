/** What a logger sees of a response whose client has disconnected. */
import type { WritableResponseLike } from "../types.ts";
import { isTaken } from "./take-over.ts";

/** Shared by all copies of the package, because two of them may serve one request. */
const GONE = Symbol.for("eightysix.http.gone");
type Marked = { [GONE]?: true };

/**
 * Gives a response that has not begun the status 499, because its client has disconnected.
 *
 * `headersSent` is true from now on: no header can be sent any more. morgan and pino-http print the
 * status of a response only if its headers were sent.
 */
export function markAsGone(res: WritableResponseLike & Marked): void {
  if (res.headersSent || isTaken(res)) return;
  res[GONE] = true;
  res.statusCode = 499;
  Reflect.defineProperty(res, "headersSent", { value: true, configurable: true });
}

/** Returns whether the head of the response was really sent. */
export function hasBegun(res: WritableResponseLike & Marked): boolean {
  return res.headersSent && res[GONE] !== true;
}

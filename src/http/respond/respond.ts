/** Responses in place of those of a handler that has failed or is late. */
import { STATUS_CODES } from "node:http";
import type { Context } from "../../index.ts";
import type { WritableResponseLike } from "../types.ts";
import { markAsGone } from "./mark-as-gone.ts";
import { replaceHeaders } from "./replaced-headers.ts";
import { statusAfterShields } from "./shields.ts";
import { retryAfterOf, statusOf } from "./status.ts";
import { isTaken, takeOver } from "./take-over.ts";

/** The code that resets a stream. `destroy()` would send NO_ERROR, which some clients take for success. */
const INTERNAL_ERROR = 2;

/**
 * Sends `status` and its name, if nothing has been sent. A 503 has the Retry-After of `reason`,
 * which is an error or a context. Headers of the body that is replaced go (see replaced-headers.ts).
 * Nothing that the handler does later reaches the connection (see take-over.ts).
 *
 * If a part of another response has been sent, closes the connection (over HTTP/2, the stream), so
 * that the client does not take the part for the whole. Does the same for 499, because no client
 * can receive it. Does nothing if the response is complete, or is an answer of this package.
 */
export function respond(res: WritableResponseLike, status: number, reason: unknown): void {
  if (isTaken(res) || res.writableEnded || res.destroyed || res.stream?.destroyed) return;
  if (status === 499) markAsGone(res);
  if (res.headersSent || status < 400) {
    cutOff(res);
    return;
  }
  takeOver(res).answer(() => {
    const name = STATUS_CODES[status] ?? "";
    const text = `${name}\n`;
    replaceHeaders(res);
    res.statusCode = status;
    // HTTP/2 has no status message, and Node warns when it is read.
    if (!res.stream && res.statusMessage) res.statusMessage = name;
    if (status === 503) res.setHeader("retry-after", String(retryAfterOf(reason)));
    res.setHeader("content-type", "text/plain; charset=utf-8");
    res.setHeader("x-content-type-options", "nosniff");
    res.setHeader("content-length", String(text.length));
    res.end(text);
  });
}

/**
 * Sends the status that the end of `ctx` stands for, or 500 in place of 503 if a shield of the
 * request has begun. `ctx` is done.
 */
export function respondWithEnd(res: WritableResponseLike, ctx: Context): void {
  respond(res, statusAfterShields(ctx, statusOf(ctx)), ctx);
}

/**
 * Closes a response that is not finished, so that the client does not take the part for the whole.
 * Leaves an answer of this package alone. Over HTTP/2, `res.destroy()` does not achieve that:
 * https://github.com/nodejs/node/issues/16798.
 */
export function cutOff(res: WritableResponseLike): void {
  if (isTaken(res)) return;
  if (res.stream) res.stream.close(INTERNAL_ERROR);
  else res.destroy();
}

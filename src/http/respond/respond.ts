/** Responses in place of those of a handler that has failed or is late. */
import { STATUS_CODES } from "node:http";
import type { Context } from "../../index.ts";
import type { WritableResponseLike } from "../types.ts";
import { statusAfterShields } from "./shields.ts";
import { retryAfterOf, statusOf } from "./status.ts";

/** Headers that describe the handler's own body. All others stay: a browser needs those of CORS. */
const STALE = ["content-encoding", "transfer-encoding", "etag", "last-modified", "cache-control"];

/** The code that resets a stream. `destroy()` would send NO_ERROR, which some clients take for success. */
const INTERNAL_ERROR = 2;

/** The methods that throw once a response has been sent. */
const HEADER_METHODS = [
  "setHeader",
  "setHeaders",
  "appendHeader",
  "removeHeader",
  "writeHead",
  "writeHeader",
  "writeEarlyHints",
] as const;

/**
 * Sends `status` and its name, if nothing has been sent. A 503 has the Retry-After of `reason`,
 * which is an error or a context.
 *
 * If a part of another response has been sent, closes the connection (over HTTP/2, the stream), so
 * that the client does not take the part for the whole. Does the same for 499, because no client
 * can receive it. Does nothing if the response is complete.
 */
export function respond(res: WritableResponseLike, status: number, reason: unknown): void {
  if (res.writableEnded || res.destroyed || res.stream?.destroyed) return;
  if (res.headersSent || status < 400 || status === 499) {
    cutOff(res);
    return;
  }
  const name = STATUS_CODES[status] ?? "";
  const text = `${name}\n`;
  for (const header of STALE) res.removeHeader(header);
  res.statusCode = status;
  // HTTP/2 has no status message, and Node warns when it is read.
  if (!res.stream && res.statusMessage) res.statusMessage = name;
  if (status === 503) res.setHeader("retry-after", String(retryAfterOf(reason)));
  res.setHeader("content-type", "text/plain; charset=utf-8");
  res.setHeader("x-content-type-options", "nosniff");
  res.setHeader("content-length", String(text.length));
  res.end(text);
  discardLaterWrites(res);
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
 * Over HTTP/2, `res.destroy()` does not achieve that: https://github.com/nodejs/node/issues/16798.
 */
export function cutOff(res: WritableResponseLike): void {
  if (res.stream) res.stream.close(INTERNAL_ERROR);
  else res.destroy();
}

/**
 * Discards everything that the handler writes from now on. A handler that still runs must not crash
 * the process when it responds: setting a header would throw, perhaps in a callback that catches
 * nothing, and a late `write` would emit an `error`. After this call, the header methods do nothing
 * and the event `error` is ignored. A callback of `write` still gets the error. Over HTTP/2, a late
 * `write` would also reset the stream while the response is on its way, so `write` is replaced
 * there. (Go buffers whole responses instead, and refuses to stream.)
 */
export function discardLaterWrites(res: WritableResponseLike): void {
  const methods = res as unknown as Record<string, unknown>;
  for (const name of HEADER_METHODS) if (name in methods) methods[name] = () => res;
  if (res.stream) methods["write"] = writeNowhere;
  res.on("error", () => undefined);
}

/** Returns true, because a false would make the handler wait for a `drain` that never comes. */
function writeNowhere(...args: unknown[]): boolean {
  const callback = args.find((arg): arg is (error: Error) => unknown => typeof arg === "function");
  if (callback) queueMicrotask(() => callback(new Error("write after end")));
  return true;
}

/** Answers in place of a handler that has failed or is late. */
import { STATUS_CODES } from "node:http";
import type { ResponseLike } from "../request/request-end.ts";
import { retryAfterOf } from "./status.ts";

/** The parts of an `http.ServerResponse` that `handler` uses. */
export interface AnswerLike extends ResponseLike {
  readonly headersSent: boolean;
  readonly writableEnded: boolean;
  statusCode: number;
  statusMessage: string;
  setHeader(name: string, value: string): unknown;
  removeHeader(name: string): void;
  end(body: string): unknown;
  destroy(): unknown;
  /** HTTP/2 only. */
  readonly stream?: { readonly destroyed: boolean; close(code: number): unknown } | null;
  on(event: "close" | "error" | "socket", listener: () => void): unknown;
}

/** Headers that speak of the handler's own answer. Others stay: a browser needs those of CORS. */
const STALE = ["content-encoding", "transfer-encoding", "etag", "last-modified", "cache-control"];

/** What a stream is reset with: `destroy()` would say NO_ERROR, which some take for success. */
const INTERNAL_ERROR = 2;

/** What throws once an answer has been sent. */
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
 * Sends `status` and its name, if nothing has been sent; with 503, Retry-After is what `reason`, an
 * error or a context, knows of it. For 499 there is nobody to hear it, and
 * behind a part of another answer no other can be sent: then the connection (in HTTP/2, the
 * stream) is closed, so that nobody takes the part for the whole. Does nothing to an answer that
 * is complete.
 */
export function respond(res: AnswerLike, status: number, reason: unknown): void {
  if (res.writableEnded || res.destroyed || res.stream?.destroyed) return;
  if (res.headersSent || status < 400 || status === 499) {
    cutOff(res);
    return;
  }
  const name = STATUS_CODES[status] ?? "";
  const text = `${name}\n`;
  for (const header of STALE) res.removeHeader(header);
  res.statusCode = status;
  // HTTP/2 has none, and warns of whoever asks.
  if (!res.stream && res.statusMessage) res.statusMessage = name;
  if (status === 503) res.setHeader("retry-after", String(retryAfterOf(reason)));
  res.setHeader("content-type", "text/plain; charset=utf-8");
  res.setHeader("x-content-type-options", "nosniff");
  res.setHeader("content-length", String(text.length));
  res.end(text);
  discardLaterWrites(res);
}

/**
 * Closes an answer that is not finished, so that nobody takes the part for the whole: in HTTP/2
 * `res.destroy()` would not do (https://github.com/nodejs/node/issues/16798).
 */
export function cutOff(res: AnswerLike): void {
  if (res.stream) res.stream.close(INTERNAL_ERROR);
  else res.destroy();
}

/**
 * The handler may be at work still, and must not bring the process down when it comes to answer:
 * setting a header would throw, perhaps in a callback where nobody catches, and a late `write`
 * would emit an `error`. So headers go nowhere, and `write` says by its callback alone that nobody
 * listens: in HTTP/2, where it would reset the stream with the answer on its way, by one of ours.
 * (Go buffers whole answers instead, and refuses to stream.)
 */
export function discardLaterWrites(res: AnswerLike): void {
  const methods = res as unknown as Record<string, unknown>;
  for (const name of HEADER_METHODS) if (name in methods) methods[name] = () => res;
  if (res.stream) methods["write"] = writeNowhere;
  res.on("error", () => undefined);
}

/** True, for nobody would ever say `drain`. */
function writeNowhere(...args: unknown[]): boolean {
  const callback = args.find((arg): arg is (error: Error) => unknown => typeof arg === "function");
  if (callback) queueMicrotask(() => callback(new Error("write after end")));
  return true;
}

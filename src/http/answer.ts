/** Answers in place of a handler that has failed or is late. */
import { STATUS_CODES } from "node:http";
import type { ResponseLike } from "./over.ts";

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
  on(event: "close" | "error", listener: () => void): unknown;
}

/** Headers that speak of the handler's own answer. Others stay: a browser needs those of CORS. */
const STALE = ["content-encoding", "transfer-encoding", "etag", "last-modified", "cache-control"];

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
 * Sends `status` and its name, if nothing has been sent. Below 500 there is nobody to hear it, and
 * behind a part of another answer no other can be sent: then the connection is closed, so that
 * nobody takes the part for the whole. Does nothing to an answer that is complete.
 */
export function answer(res: AnswerLike, status: number): void {
  if (res.writableEnded || res.destroyed) return;
  if (res.headersSent || status < 500) {
    res.destroy();
    return;
  }
  const name = STATUS_CODES[status] ?? "";
  const text = `${name}\n`;
  for (const header of STALE) res.removeHeader(header);
  res.statusCode = status;
  if (res.statusMessage) res.statusMessage = name;
  if (status === 503) res.setHeader("retry-after", "1");
  res.setHeader("content-type", "text/plain; charset=utf-8");
  res.setHeader("x-content-type-options", "nosniff");
  res.setHeader("content-length", String(text.length));
  res.end(text);
  quieten(res);
}

/**
 * The handler may be at work still, and must not bring the process down when it comes to answer:
 * setting a header would throw, perhaps in a callback where nobody catches, and a late `write`
 * would emit an `error`. So headers go nowhere, and `write` says by its callback alone that nobody
 * listens. (Go buffers whole answers instead, and refuses to stream.)
 */
function quieten(res: AnswerLike): void {
  const methods = res as unknown as Record<string, unknown>;
  for (const name of HEADER_METHODS) if (name in methods) methods[name] = () => res;
  res.on("error", () => undefined);
}

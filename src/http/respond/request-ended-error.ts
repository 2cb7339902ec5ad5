/**
 * The error that a framework gets for a request whose context has ended, and the response that Hono
 * and eightysix/web make of it. `respond` in respond.ts writes the same response with node:http. Runs
 * on every platform.
 */
import type { Context } from "../../index.ts";
import { ANSWER_HEADERS } from "./replaced-headers.ts";
import { continuingContext } from "../request/current-option.ts";
import { hasCutBody } from "../request/cut-body.ts";
import { isForeignEnd, warnOfForeignEnd } from "./foreign-end.ts";
import { brandWith } from "../request/causes.ts";
import { statusAfterShields } from "./shields.ts";
import { retryAfterOf, statusOf, statusOfError } from "./status.ts";

const NAMES: Readonly<Record<number, string>> = {
  400: "Bad Request",
  499: "Client Closed Request",
  500: "Internal Server Error",
  503: "Service Unavailable",
  504: "Gateway Timeout",
};

/**
 * An error with a status, under the names that the frameworks' own error paths read: `status`
 * (Express, Koa), `statusCode` (Fastify), `headers`, `expose` and `getResponse` (Hono). Its `cause`
 * is the error that ended the work, so `statusOf`, `isCanceled` and `isDeadlineExceeded` work.
 */
export class RequestEndedError extends Error {
  // Not readonly, because Koa writes to it.
  status: number;
  statusCode: number;
  /** Whether Koa may send the message, which is the name of the status and holds no secret. */
  expose = true;
  headers: Record<string, string>;
  readonly #isGenuine = true;

  /** Returns whether the constructor has made `x`. A check by `instanceof` could be deceived. */
  static is(x: unknown): x is RequestEndedError {
    return typeof x === "object" && x !== null && #isGenuine in x;
  }

  constructor(status: number, cause: unknown) {
    super(NAMES[status] ?? `Status ${status}`, { cause });
    this.name = "RequestEndedError";
    this.stack = `${this.name}: ${this.message}`; // a real stack would lead to this package
    this.status = status;
    this.statusCode = status;
    // A filter that calls `statusOf` with this error gets the status of this request.
    if (statusOfError(cause) !== status) brandWith(this, status);
    this.headers = { ...ANSWER_HEADERS };
    if (status === 503) this.headers["retry-after"] = String(retryAfterOf(cause));
  }

  getResponse(): Response {
    const headers = {
      ...this.headers,
      "content-type": "text/plain; charset=utf-8",
      "x-content-type-options": "nosniff",
    };
    return new Response(`${this.message}\n`, { status: this.status, headers });
  }
}

/**
 * Returns the status of the response to an error of a handler. If the request's context has ended,
 * that end decides, whatever error the handler has thrown. If a shield of the request has begun, it
 * is 500 in place of 503.
 */
export function statusFor(ctx: Context, error: unknown): number {
  return statusAfterShields(ctx, statusOfFailure(ctx, error));
}

function statusOfFailure(ctx: Context, error: unknown): number {
  const status = statusOf(ctx);
  if (status !== 200) return status;
  const own = statusOfError(error);
  if (isForeignEnd(ctx, error)) return 500;
  // A 499 here comes from another request, whose work was shared. The client of this request still
  // waits.
  return own < 500 ? 503 : own;
}

/**
 * Returns the error that a framework gets in place of a handler's `error`, or `undefined` if the
 * framework gets `error` itself. `ctx` is the context of the handler.
 *
 * While the handler goes on without its client, under a continuing context that is live, the
 * disconnect does not explain a failure of the handler. If the client left in the middle of an
 * upload, the disconnect always explains it: the error has the status 499.
 */
export function asRequestEndedError(
  request: object,
  ctx: Context,
  error: unknown,
): RequestEndedError | undefined {
  if (RequestEndedError.is(error)) return error;
  if (hasCutBody(request)) return new RequestEndedError(499, error);
  const continuing = continuingContext(request);
  if (continuing && statusOf(continuing) === 200 && statusOfError(error) === 500) return undefined;
  if (isForeignEnd(ctx, error)) {
    warnOfForeignEnd(request, error);
    return new RequestEndedError(500, error);
  }
  const status = statusOfFailure(ctx, error);
  if (status === 500) return undefined;
  return new RequestEndedError(statusAfterShields(ctx, status), error);
}

/** Returns the error for `ctx`, which has ended. */
export function requestEndedError(ctx: Context): RequestEndedError {
  return new RequestEndedError(statusFor(ctx, ctx.err()), ctx.err());
}

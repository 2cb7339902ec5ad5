/** What frameworks are told of a request whose context is done. Runs on every platform. */
import type { Context } from "../../index.ts";
import { retryAfterOf, statusOf } from "./status.ts";

const NAMES: Readonly<Record<number, string>> = {
  400: "Bad Request",
  499: "Client Closed Request",
  503: "Service Unavailable",
  504: "Gateway Timeout",
};

/**
 * An error with a status, by the names that the frameworks' own error paths read: `status`
 * (Express, Koa), `statusCode` (Fastify), `headers`, `expose` and `getResponse` (Hono). What ended
 * the work is its `cause`, so `statusOf`, `isCanceled` and `isDeadlineExceeded` know it still.
 */
export class RequestEndedError extends Error {
  // Not readonly: Koa writes it.
  status: number;
  statusCode: number;
  /** The message is the status' name and no secret. */
  expose = true;
  headers: Record<string, string>;

  constructor(status: number, cause: unknown) {
    super(NAMES[status] ?? `Status ${status}`, { cause });
    this.name = "RequestEndedError";
    this.stack = `${this.name}: ${this.message}`; // ours would name the wrong culprit
    this.status = status;
    this.statusCode = status;
    this.headers = status === 503 ? { "retry-after": String(retryAfterOf(cause)) } : {};
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

/** The request's own end explains whatever the handler made of it. */
export function statusFor(ctx: Context, error: unknown): number {
  const status = statusOf(ctx);
  if (status !== 200) return status;
  const own = statusOf(error);
  // The client of another request may have gone, whose work was shared; ours is waiting.
  return own < 500 ? 503 : own;
}

/** What an error of the handler's is to the framework; `undefined`: its own business. */
export function asRequestEndedError(ctx: Context, error: unknown): RequestEndedError | undefined {
  if (error instanceof RequestEndedError) return error;
  const status = statusFor(ctx, error);
  return status === 500 ? undefined : new RequestEndedError(status, error);
}

/** What ended `ctx`, which is done. */
export function requestEndedError(ctx: Context): RequestEndedError {
  return new RequestEndedError(statusFor(ctx, ctx.err()), ctx.err());
}

/** The one mapping from errors and ended contexts to HTTP statuses. */
import { isContextError } from "../../index.ts";
import { LONGEST_CHAIN } from "../../internal.ts";
import { isContext } from "../checks.ts";
import { brandOf, type OverloadedError } from "../request/causes.ts";

/**
 * Returns the HTTP status for an error, or for the end of a context. The chain of causes is searched
 * for a cause of `eightysix/http`, and the first one decides:
 *
 * | | |
 * |---|---|
 * | the client disconnected | 499: log it, nothing can be sent |
 * | the caller's deadline passed | 504 |
 * | the server's own limit passed, the server shuts down, or `admission` refused the work | 503 |
 * | the caller's deadline is malformed, and `strict` is set | 400 |
 * | the context ended otherwise, such as by a timeout of the handler or by `cancel()` | 503: the server gave up, and a second try may succeed |
 * | any other error | 500 |
 * | the context is live, or the request is finished | 200: nothing went wrong |
 */
export function statusOf(of: unknown): number {
  const error = errorOf(of);
  if (error === undefined && of !== undefined) return 200;
  const cause = firstCause(error);
  return (cause && brandOf(cause)) ?? (isContextError(error) ? 503 : 500);
}

/** Returns the seconds for Retry-After in a response with status 503: those of the cause, or 1. */
export function retryAfterOf(of: unknown): number {
  return (firstCause(errorOf(of)) as Partial<OverloadedError> | undefined)?.retryAfter ?? 1;
}

function firstCause(error: unknown): object | undefined {
  let at = error;
  for (let i = 0; i < LONGEST_CHAIN && typeof at === "object" && at !== null; i++) {
    if (brandOf(at) !== undefined) return at;
    at = (at as { cause?: unknown }).cause;
  }
  return undefined;
}

const errorOf = (of: unknown): unknown => (isContext(of) ? of.err() : of);

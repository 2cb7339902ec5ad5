/** The one mapping from what went wrong to an HTTP status. */
import { isContextError, type Context } from "../../index.ts";
import { brandOf, type OverloadedError } from "../request/causes.ts";

/** As far as the core follows `cause`. */
const LONGEST_CHAIN = 32;

/**
 * The status for an error, or for what ended a context. The first of the causes of `eightysix/http`
 * in its chain of causes decides:
 *
 * | | |
 * |---|---|
 * | the client has gone | 499: log it, there is nobody to send it to |
 * | the caller's deadline has passed | 504 |
 * | the server's own limit, shutdown, refused by `admission` | 503 |
 * | the caller's deadline makes no sense, and `strict` minds | 400 |
 * | any other end of a context: a timeout of the handler's own, a `cancel()` | 503: the server gave up, and a second try may succeed |
 * | anything else | 500 |
 * | a context that lives, a request that was finished | 200: nothing went wrong |
 */
export function statusOf(of: unknown): number {
  const error = errorOf(of);
  if (error === undefined && of !== undefined) return 200;
  const cause = firstCause(error);
  return (cause && brandOf(cause)) ?? (isContextError(error) ? 503 : 500);
}

/** What to say in Retry-After where that status is 503, in seconds: what the cause knows, or 1. */
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

function isContext(x: unknown): x is Context {
  return typeof (x as Partial<Context> | null | undefined)?.err === "function";
}

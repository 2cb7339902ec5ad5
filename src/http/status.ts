/** The one mapping from what went wrong to an HTTP status. */
import { isContextError, type Context } from "../index.ts";
import { brandOf } from "./causes.ts";

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
 * | the server's own limit, shutdown | 503 |
 * | the caller's deadline makes no sense, and `strict` minds | 400 |
 * | any other end of a context: a timeout of the handler's own, a `cancel()` | 503: the server gave up, and a second try may succeed |
 * | anything else | 500 |
 * | a context that lives, a request that was finished | 200: nothing went wrong |
 */
export function statusOf(of: unknown): number {
  const error = isContext(of) ? of.err() : of;
  if (error === undefined && of !== undefined) return 200;
  let at = error;
  for (let i = 0; i < LONGEST_CHAIN && typeof at === "object" && at !== null; i++) {
    const status = brandOf(at);
    if (status !== undefined) return status;
    at = (at as { cause?: unknown }).cause;
  }
  return isContextError(error) ? 503 : 500;
}

function isContext(x: unknown): x is Context {
  return typeof (x as Partial<Context> | null | undefined)?.err === "function";
}

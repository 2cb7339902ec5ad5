/** The one mapping from errors and ended contexts to HTTP statuses. */
import { isContextError, type Context } from "../../index.ts";
import { LONGEST_CHAIN, readProperty } from "../../internal.ts";
import { brandOf } from "../request/causes.ts";

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
 *
 * It does not know whether a function of `shield` has begun, in which case the response has 500 in place
 * of 503. Express and Koa pass an error on for which it returns 500 then.
 */
export function statusOf(of: unknown): number {
  const error = errorOf(of);
  return error === undefined && of !== undefined ? 200 : statusOfError(error);
}

/** Works like `statusOf`, for what a handler has thrown: it is no context, whatever methods it has. */
export function statusOfError(error: unknown): number {
  return brandOf(firstCause(error)) ?? (isContextError(error) ? 503 : 500);
}

/** Returns the seconds for Retry-After in a response with status 503: those of the cause, or 1. */
export function retryAfterOf(of: unknown): number {
  const seconds = readProperty(firstCause(errorOf(of)), "retryAfter");
  return typeof seconds === "number" && seconds >= 1 && seconds <= 60 ? Math.ceil(seconds) : 1;
}

function firstCause(error: unknown): object | undefined {
  let at = error;
  for (let i = 0; i < LONGEST_CHAIN && typeof at === "object" && at !== null; i++) {
    if (brandOf(at) !== undefined) return at;
    at = readProperty(at, "cause");
  }
  return undefined;
}

const METHODS = ["err", "deadline", "value"];

function errorOf(of: unknown): unknown {
  // A thrown object may have one of these methods and be no context.
  const isContext = METHODS.every((name) => typeof readProperty(of, name) === "function");
  if (!isContext) return of;
  try {
    return (of as Context).err();
  } catch {
    return of;
  }
}

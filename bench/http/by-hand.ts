/** What people write by hand without contexts: an AbortController for each request. */
import type { ServerResponse } from "node:http";
import { timeoutChild } from "../cases/hand-made.ts";
import { TIMEOUT } from "./way.ts";

const CLOSED = new Error("closed");

export const ABORTED = "AbortController, aborted on close";
export const WITH_TIMEOUT = "AbortController with a timeout, aborted on close";
export const UNLESS_FINISHED = "AbortController, aborted on close unless finished";

/**
 * Also aborts after a successful response, as Go does, so that work that outlives its request
 * stops.
 */
export function abortedOnClose(res: ServerResponse): AbortSignal {
  const own = new AbortController();
  res.once("close", () => own.abort(CLOSED));
  return own.signal;
}

/** The same with a time limit, which needs a second controller, a listener and a timer. */
export function abortedWithTimeout(res: ServerResponse): AbortSignal {
  const own = new AbortController();
  const child = timeoutChild(own.signal, TIMEOUT);
  res.once("close", () => child.cancel(CLOSED));
  return child.signal;
}

/** Aborts only if the response was cut off. */
export function abortedUnlessFinished(res: ServerResponse): AbortSignal {
  const own = new AbortController();
  res.once("close", () => {
    if (!res.writableFinished) own.abort(CLOSED);
  });
  return own.signal;
}

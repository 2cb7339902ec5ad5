/** What people write who have no contexts: an AbortController for each request. */
import type { ServerResponse } from "node:http";

const CLOSED = new Error("closed");

export const ABORTED = "AbortController, aborted on close";
export const UNLESS_FINISHED = "AbortController, aborted on close unless finished";

/** As Go does: what outlives the request is stopped, too. */
export function abortedOnClose(res: ServerResponse): AbortSignal {
  const own = new AbortController();
  res.once("close", () => own.abort(CLOSED));
  return own.signal;
}

export function abortedUnlessFinished(res: ServerResponse): AbortSignal {
  const own = new AbortController();
  res.once("close", () => {
    if (!res.writableFinished) own.abort(CLOSED);
  });
  return own.signal;
}

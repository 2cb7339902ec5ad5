/** What PostgreSQL's answer to a cancel request looks like, and when to repeat the request. */
import { now } from "../../internal.ts";

/** SQLSTATE query_canceled. A cancel request causes it, and `statement_timeout` does too. */
const QUERY_CANCELED = "57014";

/**
 * The text of the error that a cancel request causes. `lc_messages` translates it. A translated text
 * proves nothing here, because it could be that of a `statement_timeout`.
 * https://github.com/postgres/postgres/blob/REL_18_STABLE/src/backend/tcop/postgres.c
 */
const BY_REQUEST = "canceling statement due to user request";

/** Returns whether the error ends a canceled query, as `Operation.isStop` does. */
export function isCanceled(error: unknown): boolean | "unproven" {
  const { code, message } = Object(error) as { code?: unknown; message?: unknown };
  if (code !== QUERY_CANCELED) return false;
  return message === BY_REQUEST || "unproven";
}

/** A query that was sent no longer before its stop than this, in milliseconds, may be overtaken by it. */
const JUST_SENT = 100;
const SOON = 50;
const SELDOM = 500;

/**
 * Returns `Operation.repeatAfter` for a query that was sent at `sentAt`. Its first cancel request was
 * begun at `stoppedAt` and has ended now. If the request has not overtaken the query, the server only
 * needs more time to stop it. A second request would then be of no use, and it would be unknown which
 * of the two the server has answered. So a busy server, which shows in the time that the request took,
 * gets more time.
 */
export function repeatAfter(sentAt: number, stoppedAt: number): number {
  if (stoppedAt - sentAt >= JUST_SENT) return SELDOM;
  return Math.min(SELDOM, Math.max(SOON, 4 * (now() - stoppedAt)));
}

/** The message for a query on a connection that `onCancel` has closed. */
export const CLOSED_AFTER_STOP =
  "this connection was closed, because a query on it was canceled and its cancel request may still arrive; see the option onCancel";

/** The deadline, as PostgreSQL's statement_timeout. */
import { remaining, type Context } from "../../index.ts";

/** PostgreSQL's limit: a 32-bit integer. */
const LONGEST = 2 ** 31 - 1;

/** Milliseconds for `statement_timeout`, or `undefined` if there is no deadline near enough. */
export function serverTimeoutFor(ctx: Context, margin: number): number | undefined {
  const ms = Math.ceil(remaining(ctx) + margin);
  return ms > 0 && ms <= LONGEST ? ms : undefined;
}

/**
 * Sets it to `ms`, an SQL expression of type text, for the transaction that this runs in. Never
 * lengthens what the user has set: "0" is no limit, or "30ms", "1min". Intervals make it slow.
 */
export function setTimeoutTo(ms: string): string {
  return `select s, case when s = '0' or s::interval > (${ms} || 'ms')::interval then set_config('statement_timeout', ${ms}, true) end from current_setting('statement_timeout') s`;
}

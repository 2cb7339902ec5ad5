/** The deadline of a context as PostgreSQL's statement_timeout. */
import { remaining, type Context } from "../../index.ts";

/** PostgreSQL's limit, a 32-bit integer. */
const LONGEST = 2 ** 31 - 1;

/**
 * Returns the milliseconds for `statement_timeout`: the remaining time plus `margin`. Returns
 * `undefined` if there is no deadline, or if the sum is not positive or too large for PostgreSQL.
 */
export function serverTimeoutFor(ctx: Context, margin: number): number | undefined {
  const ms = Math.ceil(remaining(ctx) + margin);
  return ms > 0 && ms <= LONGEST ? ms : undefined;
}

/**
 * Returns the SQL that sets the timeout to `ms`, an SQL expression of type text, for the current
 * transaction. It never lengthens the limit that the user has set: "0" (no limit), "30ms", "1min".
 * The comparison as intervals makes this statement slow.
 */
export function setTimeoutTo(ms: string): string {
  return `select s, case when s = '0' or s::interval > (${ms} || 'ms')::interval then set_config('statement_timeout', ${ms}, true) end from current_setting('statement_timeout') s`;
}

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
 * Returns the SQL that sets the timeout to `ms` for the current transaction. The statement returns
 * no rows. It reads the limit in force each time, because the user may have set another one since
 * the last query, and it never lengthens that limit. The server shows it as "0" (none), "30ms" or
 * "1min".
 */
export function setTimeoutTo(ms: number): string {
  const user = "current_setting('statement_timeout')";
  const set = `set_config('statement_timeout', '${ms}', true)`;
  // The branch for "0" spares most servers the slow comparison of intervals.
  return `select where case when ${user} = '0' then ${set} when ${user}::interval > '${ms}ms' then ${set} end = ''`;
}

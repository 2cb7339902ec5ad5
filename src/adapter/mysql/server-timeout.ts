/**
 * The deadline, pushed to the server: what ends a statement there when we cannot, because this
 * process or its network is gone.
 *
 * MariaDB alone: its SET STATEMENT takes an expression, so that it never lengthens a limit that the
 * user has set. MySQL's MAX_EXECUTION_TIME hint takes a number only, and would override that limit.
 */
import { remaining, type Context } from "../../index.ts";

/** About 31 days; the server takes up to a year. */
const LONGEST = 2 ** 31 - 1;

/**
 * Statements that last, and that SET STATEMENT takes. Not those that begin with a comment, which may
 * be for a proxy. Of several in one text only the first would be limited, which does no harm.
 */
const PLAIN = /^\s*(?:select|insert|update|delete|replace|with)\b/i;

/** Whether this is a statement that reads or writes rows, as opposed to CALL, START TRANSACTION … */
export function isPlain(sql: string): boolean {
  return PLAIN.test(sql);
}

/** What to put before `sql`, on the same line; empty if there is nothing to be said. */
export function limitOf(ctx: Context, sql: string, version: string, margin: number): string {
  const ms = Math.ceil(remaining(ctx) + margin);
  if (!(ms > 0 && ms <= LONGEST) || !takesLimit(version) || !isPlain(sql)) return "";
  const s = ms / 1000;
  const user = "@@max_statement_time"; // seconds; 0 is no limit
  return `SET STATEMENT max_statement_time=IF(${user} BETWEEN 0.000001 AND ${s},${user},${s}) FOR `;
}

/** MariaDB from 10.1.2 on. */
function takesLimit(version: string): boolean {
  // Some say "5.5.5-10.11.6-MariaDB", for the sake of old replicas.
  const [, major, minor] = /(\d+)\.(\d+)\.\d+-MariaDB/i.exec(version) ?? [];
  return Number(major) > 10 || (Number(major) === 10 && Number(minor) > 1);
}

/** Takes the limit out of what the driver says of a failed statement: the caller did not write it. */
export function withoutLimit(error: unknown, limit: string): void {
  if (limit === "" || !(error instanceof Error)) return;
  for (const name of ["message", "sqlMessage", "text", "sql", "stack"]) {
    const text: unknown = Reflect.get(error, name);
    if (typeof text === "string" && text.includes(limit)) {
      Reflect.set(error, name, text.replace(limit, ""));
    }
  }
}

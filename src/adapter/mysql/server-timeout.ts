/**
 * The deadline as a limit in the server, so that a statement ends there even if this process or its
 * network has failed.
 *
 * Only MariaDB gets the limit. Its SET STATEMENT takes an expression, so the limit never lengthens
 * one that the user has set. MySQL's MAX_EXECUTION_TIME hint takes only a number, and would override
 * the user's limit.
 */
import { remaining, type Context } from "../../index.ts";

/** Milliseconds, about 25 days. The server accepts up to a year. */
const LONGEST = 2 ** 31 - 1;

/**
 * Matches statements that can run for long and that SET STATEMENT accepts. It does not match a
 * statement that begins with a comment, which may be meant for a proxy. If one text holds several
 * statements, the limit applies only to the first, which does no harm.
 */
const READS_OR_WRITES_ROWS = /^\s*(?:select|insert|update|delete|replace|with)\b/i;

/** Returns whether the statement reads or writes rows, unlike CALL or START TRANSACTION. */
export function readsOrWritesRows(sql: string): boolean {
  return READS_OR_WRITES_ROWS.test(sql);
}

/**
 * Returns the text to put in front of `sql`, on the same line. It is empty if there is no deadline,
 * or if the server or the statement takes no limit. `margin` milliseconds are added to the remaining
 * time.
 */
export function timeoutPrefix(ctx: Context, sql: string, version: string, margin: number): string {
  const ms = Math.ceil(remaining(ctx) + margin);
  if (!(ms > 0 && ms <= LONGEST) || !hasSetStatement(version) || !readsOrWritesRows(sql)) return "";
  const s = ms / 1000;
  const user = "@@max_statement_time"; // in seconds; 0 means no limit
  return `SET STATEMENT max_statement_time=IF(${user} BETWEEN 0.000001 AND ${s},${user},${s}) FOR `;
}

/** Returns whether the server has SET STATEMENT. MariaDB has it from 10.1.2 on, and 10.2 is the first that is used. */
function hasSetStatement(version: string): boolean {
  // Some servers say "5.5.5-10.11.6-MariaDB", for old replicas.
  const [, major, minor] = /(\d+)\.(\d+)\.\d+-MariaDB/i.exec(version) ?? [];
  return Number(major) > 10 || (Number(major) === 10 && Number(minor) > 1);
}

/** Removes the prefix from the texts of a driver's error, because the caller did not write it. */
export function removePrefix(error: unknown, prefix: string): void {
  if (prefix === "" || !(error instanceof Error)) return;
  for (const name of ["message", "sqlMessage", "text", "sql", "stack"]) {
    const text: unknown = Reflect.get(error, name);
    if (typeof text === "string" && text.includes(prefix)) {
      Reflect.set(error, name, text.replace(prefix, ""));
    }
  }
}

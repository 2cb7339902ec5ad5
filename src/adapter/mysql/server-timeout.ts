/**
 * The deadline as a limit in the server, so that a statement ends there even if this process or its
 * network has failed.
 *
 * MariaDB's SET STATEMENT takes an expression, so its limit never lengthens one that the user has set.
 * MySQL's hint MAX_EXECUTION_TIME takes only a number, and replaces the user's limit. So it is left
 * out where the user has one (own-limit.ts).
 */
import { remaining, type Context } from "../../index.ts";
import type { StatementArguments } from "./statement-arguments.ts";

/** Milliseconds, about 25 days. The servers accept more. */
const LONGEST = 2 ** 31 - 1;

/**
 * Matches statements that can run for long and that SET STATEMENT accepts. It does not match a
 * statement that begins with a comment, which may be meant for a proxy. If one text holds several
 * statements, the limit applies only to the first, which does no harm.
 */
const READS_OR_WRITES_ROWS = /^\s*(?:select|insert|update|delete|replace|with)\b/i;

/** Matches the beginning of a SELECT that has no hints of its own. */
const SELECT_WITHOUT_HINTS = /^\s*select\b(?!\s*\/\*\+)/i;

/** A text that is put into SQL. It is empty if the statement gets no limit. */
export interface TimeLimit {
  /** How many characters of the SQL come before the text. */
  readonly at: number;
  readonly text: string;
}

export const NO_LIMIT: TimeLimit = { at: 0, text: "" };

/** Returns whether the statement reads or writes rows, unlike CALL or START TRANSACTION. */
export function readsOrWritesRows(sql: string): boolean {
  return READS_OR_WRITES_ROWS.test(sql);
}

/**
 * Returns the limit for `sql`: the time that `ctx` has left, plus `margin` milliseconds. There is none
 * if `ctx` has no deadline, or if the server or the statement takes no limit.
 */
export function timeLimit(ctx: Context, sql: string, version: string, margin: number): TimeLimit {
  const ms = Math.ceil(remaining(ctx) + margin);
  if (!(ms > 0 && ms <= LONGEST)) return NO_LIMIT;
  if (hasHints(version)) {
    const [select] = SELECT_WITHOUT_HINTS.exec(sql) ?? [];
    if (select === undefined) return NO_LIMIT;
    return { at: select.length, text: ` /*+ MAX_EXECUTION_TIME(${ms}) */ ` };
  }
  if (!hasSetStatement(version) || !readsOrWritesRows(sql)) return NO_LIMIT;
  const s = ms / 1000;
  const user = "@@max_statement_time"; // in seconds; 0 means no limit
  const limit = `IF(${user} BETWEEN 0.000001 AND ${s},${user},${s})`;
  return { at: 0, text: `SET STATEMENT max_statement_time=${limit} FOR ` };
}

/** Returns whether the server is a MySQL with the hint. MySQL has it from 5.7.8 on. */
export function hasHints(version: string): boolean {
  if (/mariadb/i.test(version)) return false;
  const [, major, minor] = /^(\d+)\.(\d+)/.exec(version) ?? [];
  return Number(major) > 5 || (Number(major) === 5 && Number(minor) >= 7);
}

/** Returns whether the server has SET STATEMENT. MariaDB has it from 10.1.2 on, and 10.2 is the first that is used. */
function hasSetStatement(version: string): boolean {
  // Some servers say "5.5.5-10.11.6-MariaDB", for old replicas.
  const [, major, minor] = /(\d+)\.(\d+)\.\d+-MariaDB/i.exec(version) ?? [];
  return Number(major) > 10 || (Number(major) === 10 && Number(minor) > 1);
}

/** Puts the limit into the SQL of a statement. */
export function withLimit(args: StatementArguments, { at, text }: TimeLimit): StatementArguments {
  if (text === "") return args;
  const [options, ...values] = args;
  const put = (sql: string): string => sql.slice(0, at) + text + sql.slice(at);
  if (typeof options === "string") return [put(options), ...values];
  return [{ ...options, sql: put(options.sql) }, ...values];
}

/** Removes the limit from the texts of a driver's error, because the caller did not write it. */
export function removeLimit(error: unknown, { text }: TimeLimit): void {
  if (text === "" || !(error instanceof Error)) return;
  for (const name of ["message", "sqlMessage", "text", "sql", "stack"]) {
    const says: unknown = Reflect.get(error, name);
    if (typeof says === "string" && says.includes(text)) {
      Reflect.set(error, name, says.replace(text, ""));
    }
  }
}

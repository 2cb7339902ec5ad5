/**
 * What a server answers to a statement that KILL QUERY has hit. Found by experiments on MySQL 9.7
 * and MariaDB 10.11: most statements fail with 1317, some with another error, and some succeed.
 */

const INTERRUPTED = new Set([
  1317, // ER_QUERY_INTERRUPTED
  1028, // ER_FILSORT_ABORT: a sort was interrupted
  1969, // MariaDB's ER_STATEMENT_TIMEOUT: max_statement_time
  3024, // MySQL's ER_QUERY_TIMEOUT: max_execution_time
  1927, // MariaDB's ER_CONNECTION_KILLED
]);

/** Returns whether the server says with this error that something has interrupted the statement. */
export function isInterrupt(error: unknown): boolean {
  const { errno, sqlState } = Object(error) as { errno?: unknown; sqlState?: unknown };
  return INTERRUPTED.has(Number(errno)) || sqlState === "70100";
}

/** The SQLSTATEs that name no fault of the statement. */
const GENERAL = new Set<unknown>([
  "HY000", // a general error
  "02000", // no row was found, which is an error only if a procedure has not handled it
]);

/** The first number of the errors of the driver `mariadb` itself, which have a SQLSTATE too. */
const FIRST_CLIENT_ERROR = 45_000;

/**
 * Returns whether this error, which is no interrupt, can come from a KILL that hit the statement.
 * Where the server does not expect an interruption, it reports what failed in consequence. MariaDB
 * fails with 1939 if the KILL finds it opening a sequence table, and with 188 in a full-text search.
 * MySQL fails with 1329 in a procedure whose handler for NOT FOUND did not run. Errors with a
 * SQLSTATE of their own, such as a duplicate key or a deadlock, are those of the statement.
 */
export function canBeFromKill(error: unknown): boolean {
  const { errno, sqlState, fatal } = Object(error) as Record<string, unknown>;
  return GENERAL.has(sqlState) && Number(errno) < FIRST_CLIENT_ERROR && fatal !== true;
}

/** Matches the only statement that succeeds without rows, and only computes. */
const ONLY_COMPUTES = /^\s*do\b/i;

/** Matches a statement that returns the rows that it has written. JSON_VALUE of MySQL has RETURNING, too. */
const RETURNS_WRITTEN_ROWS =
  /^\s*(?:\/\*[^]*?\*\/\s*)*(?:insert|replace|delete)\b[^]*\breturning\b/i;

/**
 * Returns whether the success of a statement is true although the statement was killed.
 *
 * Rows are not, because the KILL may have changed them. MySQL's SLEEP() returns 1, MariaDB's
 * GET_LOCK() returns NULL, CHECKSUM TABLE returns a sum of some rows, and MariaDB's
 * information_schema returns no rows. Without rows, the statement has had its effect. So has
 * INSERT … RETURNING, whose rows are what was written.
 */
export function holdsAfterKill(sql: string, hasRows: boolean): boolean {
  return hasRows ? RETURNS_WRITTEN_ROWS.test(sql) : !ONLY_COMPUTES.test(sql);
}

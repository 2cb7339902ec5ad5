/**
 * SQLite queries that stop when their context ends: `withContext` wraps a `Database` of
 * `libsql/promise`.
 *
 * The driver's `get` and `run` compute on the event loop. While its `exec` runs, an interrupt would
 * block the event loop. So neither is wrapped. `all` does everything that they do, including
 * `INSERT … RETURNING`, `BEGIN` and `COMMIT`.
 *
 * @packageDocumentation
 */
import type { ContextDatabase } from "./database.ts";
import { handOver, sessionMethods } from "../adapter/index.ts";
import { show } from "../internal.ts";
import { sessionsOf } from "./session.ts";
import { sharedDatabase, query } from "./shared-database.ts";
import type { DatabaseLike } from "./types.ts";

export { NothingCommittedError } from "../adapter/index.ts";
export type {
  ContextDatabase,
  ContextQueries,
  ContextTransaction,
  ContextTransactional,
  TransactionOptions,
} from "./database.ts";
export type { DatabaseLike, Parameter, Parameters, Row, StatementLike, Value } from "./types.ts";

/**
 * Wraps a database. One operation runs at a time, and the others wait in order. Open another
 * `Database` to run several at once, and for transactions whose changes other requests must not see.
 *
 * Use the database only through what this returns:
 * - An interrupt hits everything that the database is doing.
 * - An iterator of the driver that was not read to its end keeps an interrupt in force for all later
 *   statements.
 * - A statement of the driver that is garbage collected while a query runs blocks the event loop.
 *
 * Pass values as parameters and not in the SQL: a thousand prepared statements are kept, by their SQL.
 *
 * If an operation is stopped inside a transaction that `BEGIN` opened, that transaction is rolled
 * back, as SQLite does by itself for writes. A later COMMIT fails with "no transaction is active".
 *
 * The caller still owns the database and closes it. Its `close()` waits for an operation that runs.
 *
 * Throws a TypeError if `db` is not such a `Database`.
 *
 * @example
 * const db = withContext(new Database("orders.db"));
 * const orders = await db.all(ctx, "SELECT * FROM orders WHERE day = ?", day);
 */
export function withContext(db: DatabaseLike): ContextDatabase {
  if (typeof (Object(db) as Partial<DatabaseLike>).interrupt !== "function") {
    throw new TypeError(`withContext takes a Database of libsql/promise, got ${show(db)}`);
  }
  const shared = sharedDatabase(db);
  const methods = sessionMethods(sessionsOf(shared));
  return {
    all: handOver((ctx, sql, ...params) => query(ctx, shared, sql, params), "all"),
    // `ContextDatabase` gives these methods their types.
    ...(methods as unknown as Omit<ContextDatabase, "all">),
  };
}

/**
 * The public types of the adapter. Those of `mariadb` 3 are described structurally, because only the
 * users of this entry point have the package installed.
 */
import type { DatabaseOf } from "../adapter/mysql/types.ts";
import type { Context } from "../index.ts";

type AnyFunction = (...args: never) => unknown;

/** A pool or a connection of `mariadb`. */
export interface DriverLike {
  query: AnyFunction;
  execute: AnyFunction;
  batch: AnyFunction;
  escapeId: AnyFunction;
}

/** What a driver's method takes first: SQL, or the driver's own options object, which includes `sql`. */
export type SqlOf<F> = F extends (sql: infer S, ...values: never) => unknown ? S : never;

/** The result of a statement that changes rows. */
export interface UpsertResult {
  affectedRows: number;
  insertId: number | bigint;
  warningStatus: number;
}

/* eslint-disable @typescript-eslint/no-explicit-any -- the driver's own default */

/** The driver's own methods, each with a context first. */
export interface ContextQueries<D extends DriverLike> {
  /**
   * Runs the driver's own `query` under a context.
   *
   * When `ctx` ends, the server is told to stop the statement (KILL QUERY). The promise settles when
   * the statement has stopped: with `ctx.err()`, or with the result if the statement was faster than
   * the KILL. Once the KILL was sent, rows are no result any more, because the KILL can change them:
   * MySQL's SLEEP() then returns 1, and MariaDB's information_schema too few rows. The promise then
   * rejects with `ctx.err()`. A success without rows is still reported, and so are the rows of INSERT …
   * RETURNING, because the statement has had its effect. DO has no effect, so its success is dropped.
   *
   * The promise also rejects with `ctx.err()` if the statement fails with a general error (SQLSTATE
   * HY000 or 02000) after the KILL was sent. It rejects with the driver's own error in every other
   * case, such as an interruption by the option `timeout`. If `ctx` is done already, no connection is
   * taken.
   *
   * On a pool, the call waits for a connection, and leaves the queue at once when `ctx` ends. The
   * connection is returned afterwards, and an open transaction on it is rolled back.
   *
   * On a connection, all operations through this object run one at a time. Do not call the
   * connection's own methods while an operation may be canceled: a KILL QUERY ends whatever runs
   * there. A canceled statement leaves a transaction open, and the caller decides about it.
   */
  query<T = any>(ctx: Context, sqlOrOptions: SqlOf<D["query"]>, values?: unknown): Promise<T>;

  /** Runs the driver's own `execute`, which prepares statements. Otherwise the same as `query`. */
  execute<T = any>(ctx: Context, sqlOrOptions: SqlOf<D["execute"]>, values?: unknown): Promise<T>;

  /**
   * Runs the driver's own `batch`. Otherwise the same as `query`. If the server takes the batch as a
   * whole, it is stopped as a whole. If the driver sends one statement after another, the changes of
   * those that ended before the stop remain, unless a transaction surrounds the batch.
   */
  batch<T = UpsertResult | UpsertResult[]>(
    ctx: Context,
    sqlOrOptions: SqlOf<D["batch"]>,
    values?: unknown,
  ): Promise<T>;

  /**
   * Reads the rows of a query while they arrive, without holding all of them in memory.
   *
   * The query is sent when the loop asks for the first row. It stops, on the server too, when the
   * loop is left in any way, and when `ctx` ends: then the loop throws `ctx.err()`. Until then the
   * stream has a connection to itself. A loop that is neither finished nor left, under a context
   * that never ends, keeps the connection.
   *
   * @example
   * for await (const order of db.stream<Order>(ctx, "select * from orders")) send(order);
   */
  stream<Row = any>(
    ctx: Context,
    sqlOrOptions: SqlOf<D["query"]>,
    values?: unknown,
  ): AsyncGenerator<Row, void, undefined>;
}

/* eslint-enable @typescript-eslint/no-explicit-any */

/** What `withContext` returns: queries, transactions and connections, each with a context first. */
export type ContextDatabase<D extends DriverLike> = DatabaseOf<ContextQueries<D>>;

/** What `withContext` returns. */
import type { Context } from "../index.ts";
import type { ConnectionOptions } from "../adapter/index.ts";
import type { TransactionOptions } from "../adapter/postgresql/begin.ts";
import type { PendingQuery, QueryDescription, StreamOptions } from "./types.ts";

/** Queries on a connection. */
export interface ContextQueries {
  /**
   * Sends a query of postgres.js and resolves with the driver's result. Compose the query with the
   * `sql` that was passed to `withContext`, and do not await it yourself.
   *
   * When `ctx` ends, the server is asked to stop, and the promise settles when it has stopped: with
   * `ctx.err()`, or with the result if that came first. Any other error is the driver's own. That
   * includes a cancellation that `ctx` did not cause, such as that of `statement_timeout`. If `ctx`
   * is done already, no connection is taken.
   *
   * The query waits for a connection and has it to itself until the promise settles. Each call sends
   * the query once, so a query can be sent again. `cancel()` of the query does nothing.
   *
   * Rejects with a TypeError for a query that was awaited or executed before, a query of another
   * `sql` or of the `sql` of a transaction, `sql.file` (read the file and use `sql.unsafe`),
   * `.cursor()` and `.forEach()` (use `stream`), `.readable()` and `.writable()`.
   *
   * @example
   * const [user] = await db.query(ctx, sql<User[]>`select * from users where id = ${id}`);
   */
  query<Result>(ctx: Context, query: PendingQuery<Result>): Promise<Result>;
  query<Result extends QueryDescription>(ctx: Context, query: PromiseLike<Result>): Promise<Result>;

  /**
   * Reads rows while they arrive and never holds all of them.
   *
   * The query is sent when the loop asks for the first row. It ends, on the server too, when the loop
   * ends in any way, and when `ctx` ends: then the loop throws `ctx.err()`. Until then it has its
   * connection to itself. A loop that neither finishes nor leaves, and whose context never ends,
   * keeps the connection for ever.
   *
   * @example
   * for await (const order of db.stream(ctx, sql<Order[]>`select * from orders`)) print(order);
   */
  stream<Rows extends readonly unknown[]>(
    ctx: Context,
    query: PendingQuery<Rows>,
    options?: StreamOptions,
  ): AsyncGenerator<Rows[number], void, undefined>;
}

/** Queries inside a transaction. It is usable until the function that received it has returned. */
export interface ContextTransaction extends ContextQueries {
  /**
   * Runs `fn` in a savepoint. If `fn` throws, its changes are rolled back and the transaction around
   * it goes on. While `fn` runs, only its own `tx` is usable.
   */
  transaction<T>(
    ctx: Context,
    fn: (tx: ContextTransaction) => T | PromiseLike<T>,
  ): Promise<Awaited<T>>;
}

/** Queries and transactions on a connection. */
export interface ContextTransactional extends ContextQueries {
  /**
   * Begins a transaction, runs `fn`, commits, and returns the result of `fn`. Rolls back if `fn`
   * throws, and if `ctx` ends before the COMMIT was answered. In that case the running statement is
   * stopped, and the promise rejects with `ctx.err()` after the rollback. The rollback does not
   * depend on `ctx` and takes at most the stop timeout. After that the connection is destroyed.
   *
   * Compose queries with the `sql` that was passed to `withContext`, and send them with `tx`. A query
   * that is awaited without `tx` runs outside of the transaction.
   *
   * Statements that `fn` did not await finish before the COMMIT and are stopped before a ROLLBACK. If
   * a statement has failed and `fn` did not throw its error, the server answers the COMMIT with
   * ROLLBACK. Then the promise rejects with an error of `code` "ERR_NOTHING_COMMITTED". If the server
   * does not answer a COMMIT within the stop timeout, its effect is unknown.
   *
   * @example
   * await db.transaction(ctx, async (tx) => {
   *   await tx.query(ctx, sql`update accounts set amount = amount - 1 where id = ${from}`);
   *   await tx.query(ctx, sql`update accounts set amount = amount + 1 where id = ${to}`);
   * });
   */
  transaction<T>(
    ctx: Context,
    fn: (tx: ContextTransaction) => T | PromiseLike<T>,
    options?: TransactionOptions,
  ): Promise<Awaited<T>>;
}

/** A database whose methods take a context first. `withContext` returns it. */
export interface ContextDatabase extends ContextTransactional {
  /**
   * Runs `fn` with a connection of its own, for temporary tables, `SET` or advisory locks. Waits for
   * the connection as `query` does.
   *
   * If `fn` has returned, its running statements are awaited. If it has thrown, they are stopped. Then
   * an open transaction is rolled back, and the connection goes back to its pool. Settings that `fn`
   * made stay in force on it.
   *
   * When `ctx` ends, the statements under it stop. `fn` can then clean up under a context that is
   * live, such as that of `shield`: until the deadline of that context or, if it has none, for one
   * stop timeout. If `ctx` has ended by the time at which `fn` and its statements have ended, the
   * connection is closed, so that locks, temporary tables and settings reach no other caller. The
   * option `after: "keep"` gives it back to the pool instead.
   */
  connection<T>(
    ctx: Context,
    fn: (db: ContextTransactional) => T | PromiseLike<T>,
    options?: ConnectionOptions,
  ): Promise<Awaited<T>>;
}

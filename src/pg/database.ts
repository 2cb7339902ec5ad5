/** The types of what `withContext` returns. */
import type { Context } from "../index.ts";
import type { ConnectionOptions } from "../adapter/index.ts";
import type { TransactionOptions } from "../adapter/postgresql/begin.ts";
import type { ClientLike, PoolLike, QueryConfig, ResultOf, RowOf, StreamConfig } from "./types.ts";

/** Queries and streams, on connections of a pool or on one connection. */
export interface ContextQueries<D extends PoolLike | ClientLike> {
  /**
   * Runs a query and resolves with the driver's own result.
   *
   * When `ctx` ends, the server is asked to stop the query. The promise settles when the query has
   * ended on the server: it rejects with `ctx.err()`, or resolves if the result came first. Any other
   * failure is the driver's own error, and so is a cancellation that `ctx` did not cause, such as
   * that of the user's own `statement_timeout`. If `ctx` is done already, no connection is taken.
   *
   * From a Pool: the query waits for a connection, stops waiting as soon as `ctx` ends, and returns
   * the connection afterwards. A connection is used again after an error, unless the error left it
   * inside a transaction. A transaction that a query has begun, as `query(ctx, "BEGIN")` does, is
   * rolled back before the connection goes back to the pool.
   *
   * On a Client: a cancel request never hits the queries before and after this one. The connection
   * still belongs to the caller. Inside a transaction, a canceled query aborts the transaction, and
   * the caller sends the ROLLBACK. The connection is destroyed if the server does not answer within
   * the stop timeout, and closed after a stop as the option `onCancel` says.
   *
   * Rejects with a TypeError for a callback or a submittable (a `pg.Query`, a cursor).
   *
   * @example
   * const { rows } = await db.query<{ id: string }>(ctx, "select id from orders where day = $1", [day]);
   */
  query<Row extends unknown[] = unknown[]>(
    ctx: Context,
    config: QueryConfig & { rowMode: "array" },
    values?: readonly unknown[],
  ): Promise<ResultOf<D, Row>>;
  query<Row = RowOf<D>>(
    ctx: Context,
    textOrConfig: string | QueryConfig,
    values?: readonly unknown[],
  ): Promise<ResultOf<D, Row>>;

  /**
   * Returns the rows of a query for a `for await` loop, which reads them while they arrive. The
   * option `rows` is how many are fetched at a time. No more than that are held in memory.
   *
   * The query is sent when the loop asks for the first row. It ends on the server when the loop is
   * left, in any way, and when `ctx` ends. If `ctx` ends, the loop throws `ctx.err()`.
   *
   * The stream has its connection to itself until it ends. A loop that is neither finished nor
   * left, under a context that never ends, keeps the connection. Inside `transaction` and
   * `connection` that causes a TypeError when their function returns. A `query_timeout` covers the
   * whole stream, including the reader's time.
   *
   * @example
   * for await (const order of db.stream<Order>(ctx, "select * from orders")) await send(order);
   */
  stream<Row extends unknown[] = unknown[]>(
    ctx: Context,
    config: StreamConfig & { rowMode: "array" },
    values?: readonly unknown[],
  ): AsyncGenerator<Row, void, undefined>;
  stream<Row = RowOf<D>>(
    ctx: Context,
    textOrConfig: string | StreamConfig,
    values?: readonly unknown[],
  ): AsyncGenerator<Row, void, undefined>;
}

/**
 * The parameter of the function that `transaction` runs. It can be used until that function ends.
 */
export interface ContextTransaction<D extends PoolLike | ClientLike> extends ContextQueries<D> {
  /**
   * Runs `fn` in a savepoint. If `fn` throws, its statements are rolled back, and the outer
   * transaction can continue. While `fn` runs, only the inner `tx` can be used.
   */
  transaction<T>(
    ctx: Context,
    fn: (tx: ContextTransaction<D>) => T | PromiseLike<T>,
  ): Promise<Awaited<T>>;
}

/** Queries, streams and transactions. */
export interface ContextTransactional<D extends PoolLike | ClientLike> extends ContextQueries<D> {
  /**
   * Begins a transaction, runs `fn`, commits, and resolves with the result of `fn`.
   *
   * Rolls back when `fn` throws, and when `ctx` ends before the server has answered the COMMIT. In
   * the second case the running statement is stopped, and the promise rejects with `ctx.err()` after
   * the rollback. The end of `ctx` does not stop the rollback. If the server does not answer the
   * rollback within the stop timeout, the connection is destroyed.
   *
   * Before the COMMIT, `transaction` waits for statements that `fn` did not await. Before a
   * ROLLBACK, it stops them. Inside `fn`, use `tx` and not the database. With a pool of one
   * connection, a query on the database would wait for its own transaction.
   *
   * Rejects with an error of code "ERR_NOTHING_COMMITTED" if the server answers the COMMIT with
   * ROLLBACK, because `fn` caught the error of a failed statement. If the server does not answer a
   * COMMIT within the stop timeout, it is unknown whether the transaction was committed.
   *
   * On a Client, transactions and connections take turns. Do not call the client's own `query` while
   * one of them runs.
   *
   * @example
   * await db.transaction(ctx, async (tx) => {
   *   await tx.query(ctx, "update accounts set balance = balance - 10 where id = $1", [from]);
   *   await tx.query(ctx, "update accounts set balance = balance + 10 where id = $1", [to]);
   * });
   */
  transaction<T>(
    ctx: Context,
    fn: (tx: ContextTransaction<D>) => T | PromiseLike<T>,
    options?: TransactionOptions,
  ): Promise<Awaited<T>>;
}

/** The methods that `withContext` returns. Each takes a context first. */
export interface ContextDatabase<D extends PoolLike | ClientLike> extends ContextTransactional<D> {
  /**
   * Runs `fn` with a connection of its own, for temporary tables, `SET` or advisory locks. Waits
   * for the connection as `query` does.
   *
   * When `fn` has returned, `connection` waits for the statements that are still running. When `fn`
   * has thrown, it stops them. Then it rolls back an open transaction and returns the connection to
   * its pool. The connection keeps the settings that `fn` made.
   *
   * When `ctx` ends, the statements under it stop. `fn` can then clean up under a context that is
   * live, such as that of `shield`: until the deadline of that context or, if it has none, for one
   * stop timeout. If `ctx` has ended by the time at which `fn` and its statements have ended, the
   * pool's connection is closed, so that locks, temporary tables and settings reach no other caller.
   * The option `after: "keep"` returns it to the pool instead. A Client of yours is not closed for that.
   *
   * @example
   * await db.connection(ctx, async (own) => {
   *   await own.query(ctx, "create temp table picked (id int)");
   *   await own.query(ctx, "insert into picked select id from orders where day = $1", [day]);
   * });
   */
  connection<T>(
    ctx: Context,
    fn: (db: ContextTransactional<D>) => T | PromiseLike<T>,
    options?: ConnectionOptions,
  ): Promise<Awaited<T>>;
}

/** What `withContext` returns. */
import type { Context } from "../index.ts";
import type { TransactionOptions } from "../adapter/postgresql/begin.ts";
import type { ClientLike, PoolLike, QueryConfig, ResultOf, RowOf, StreamConfig } from "./types.ts";

/** Statements on some connection. */
export interface ContextQueries<D extends PoolLike | ClientLike> {
  /**
   * As the driver's own `query`, with a context. When `ctx` ends, the server is told to stop, and
   * the promise settles when it has: with `ctx.err()`, or with the result if that came first. Any
   * other failure is the driver's error, untouched; so is a cancellation that was not ours, such
   * as that of `statement_timeout`. If `ctx` is done already, no connection is taken.
   *
   * From a Pool: waits its turn for a connection, leaves the queue at once when `ctx` ends, and
   * gives the connection back afterwards. It is reused after an error, unless it was left inside a
   * transaction.
   *
   * On a Client: never hits the queries before and after it. The connection stays the caller's,
   * who also owns what a cancellation means to a transaction: it is aborted, and needs a ROLLBACK.
   * Only a server that does not answer for the stop timeout costs the caller this connection.
   *
   * Callbacks and submittables (`pg.Query`, cursors) are refused with a TypeError.
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
   * Reads rows as they come, `rows` at a time, without ever holding all of them:
   *
   *     for await (const order of db.stream<Order>(ctx, "select * from orders")) …
   *
   * The query is sent when the loop asks for the first row. It is over, on the server too, when the
   * loop is left, in whichever way, and when `ctx` ends: then the loop throws `ctx.err()`. Until
   * then it has its connection to itself. A loop that is neither finished nor left, and whose
   * context never ends, keeps it; inside `transaction` and `connection` that is a TypeError when
   * their function returns. A `query_timeout` counts the whole stream, the reader's time included.
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

/** What runs inside a transaction. Good until the function that was given it is over. */
export interface ContextTransaction<D extends PoolLike | ClientLike> extends ContextQueries<D> {
  /**
   * Runs `fn` in a savepoint: what it did is undone if it throws, and the transaction around it
   * goes on. Meanwhile only the inner `tx` can be used.
   */
  transaction<T>(
    ctx: Context,
    fn: (tx: ContextTransaction<D>) => T | PromiseLike<T>,
  ): Promise<Awaited<T>>;
}

/** What can begin a transaction. */
export interface ContextTransactional<D extends PoolLike | ClientLike> extends ContextQueries<D> {
  /**
   * Begins a transaction, runs `fn`, and commits; returns what `fn` does. Rolls back when `fn`
   * throws, and when `ctx` ends before the COMMIT was answered: then the statement that is running
   * is stopped, and the promise rejects with `ctx.err()` when all is over. The rollback does not
   * depend on `ctx`, and takes at most the stop timeout; after that the connection is destroyed.
   *
   * Statements that `fn` did not await are over before the COMMIT, and stopped before a ROLLBACK.
   * Use `tx` in it, and not the database: on a pool of one, that would wait for itself.
   * A COMMIT to which the server answers ROLLBACK, because a failed statement was swallowed,
   * rejects with an error of `code` "ERR_NOTHING_COMMITTED". Should the server not answer a COMMIT
   * within the stop timeout, nobody knows what became of it.
   *
   * On a Client, transactions and connections take turns; keep `query` out of their way.
   */
  transaction<T>(
    ctx: Context,
    fn: (tx: ContextTransaction<D>) => T | PromiseLike<T>,
    options?: TransactionOptions,
  ): Promise<Awaited<T>>;
}

/** Queries that take a context first. Made by `withContext`. */
export interface ContextDatabase<D extends PoolLike | ClientLike> extends ContextTransactional<D> {
  /**
   * Runs `fn` with a connection of its own, for temporary tables, `SET`, advisory locks. Waits its
   * turn for it as `query` does. Afterwards what is still running there is awaited, or stopped if
   * `fn` has thrown, an open transaction is rolled back, and the connection goes back to its pool,
   * with the settings that `fn` made.
   */
  connection<T>(
    ctx: Context,
    fn: (db: ContextTransactional<D>) => T | PromiseLike<T>,
  ): Promise<Awaited<T>>;
}

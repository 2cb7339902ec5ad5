/** What `withContext` returns. */
import type { Context } from "../index.ts";
import type { TransactionOptions } from "../adapter/postgresql/begin.ts";
import type { Described, PendingQuery, StreamOptions } from "./types.ts";

/** Statements on some connection. */
export interface ContextQueries {
  /**
   * Sends a query of postgres.js, and resolves with what it resolves with. Compose it with the
   * `sql` that was given to `withContext`, and do not await it yourself:
   *
   *     const [user] = await db.query(ctx, sql<User[]>`select * from users where id = ${id}`);
   *
   * When `ctx` ends, the server is told to stop, and the promise settles when it has: with
   * `ctx.err()`, or with the result if that came first. Any other failure is the driver's error,
   * untouched; so is a cancellation that was not ours, such as that of `statement_timeout`. If
   * `ctx` is done already, no connection is taken.
   *
   * It has its connection to itself until then, and waits its turn for it. Each call sends the query
   * once, so one can be sent again. Its own `cancel()` does nothing.
   *
   * Refused with a TypeError: what was awaited or executed already, queries of another `sql` or of a
   * transaction's, `sql.file` (read the file, and use `sql.unsafe`), and what streams:
   * `.cursor()` and `.forEach()` (use `stream`), `.readable()` and `.writable()`.
   */
  query<Result>(ctx: Context, query: PendingQuery<Result>): Promise<Result>;
  query<Result extends Described>(ctx: Context, query: PromiseLike<Result>): Promise<Result>;

  /**
   * Reads rows as they come, without ever holding all of them:
   *
   *     for await (const order of db.stream(ctx, sql<Order[]>`select * from orders`)) …
   *
   * The query is sent when the loop asks for the first row. It is over, on the server too, when the
   * loop is left, in whichever way, and when `ctx` ends: then the loop throws `ctx.err()`. Until
   * then it has its connection to itself. A loop that is neither finished nor left, and whose
   * context never ends, keeps it.
   */
  stream<Rows extends readonly unknown[]>(
    ctx: Context,
    query: PendingQuery<Rows>,
    options?: StreamOptions,
  ): AsyncGenerator<Rows[number], void, undefined>;
}

/** What runs inside a transaction. Good until the function that was given it is over. */
export interface ContextTransaction extends ContextQueries {
  /**
   * Runs `fn` in a savepoint: what it did is undone if it throws, and the transaction around it
   * goes on. Meanwhile only the inner `tx` can be used.
   */
  transaction<T>(
    ctx: Context,
    fn: (tx: ContextTransaction) => T | PromiseLike<T>,
  ): Promise<Awaited<T>>;
}

/** What can begin a transaction. */
export interface ContextTransactional extends ContextQueries {
  /**
   * Begins a transaction, runs `fn`, and commits; returns what `fn` does. Rolls back when `fn`
   * throws, and when `ctx` ends before the COMMIT was answered: then the statement that is running
   * is stopped, and the promise rejects with `ctx.err()` when all is over. The rollback does not
   * depend on `ctx`, and takes at most the stop timeout; after that the connection is destroyed.
   *
   * Queries are composed with the same `sql` as everywhere, and sent with `tx`: one that is awaited
   * itself runs outside of the transaction.
   *
   * Statements that `fn` did not await are over before the COMMIT, and stopped before a ROLLBACK.
   * A COMMIT to which the server answers ROLLBACK, because a failed statement was swallowed,
   * rejects with an error of `code` "ERR_NOTHING_COMMITTED". Should the server not answer a COMMIT
   * within the stop timeout, nobody knows what became of it.
   */
  transaction<T>(
    ctx: Context,
    fn: (tx: ContextTransaction) => T | PromiseLike<T>,
    options?: TransactionOptions,
  ): Promise<Awaited<T>>;
}

/** Queries that take a context first. Made by `withContext`. */
export interface ContextDatabase extends ContextTransactional {
  /**
   * Runs `fn` with a connection of its own, for temporary tables, `SET`, advisory locks. Waits its
   * turn for it as `query` does. Afterwards what is still running there is awaited, or stopped if
   * `fn` has thrown, an open transaction is rolled back, and the connection goes back to its pool,
   * with the settings that `fn` made.
   */
  connection<T>(
    ctx: Context,
    fn: (db: ContextTransactional) => T | PromiseLike<T>,
  ): Promise<Awaited<T>>;
}

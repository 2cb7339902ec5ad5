/** The public types of what `withContext` returns. */
import type { Context } from "../index.ts";
import type { Parameters, Row } from "./types.ts";

/** Statements on a database, such as those of a transaction. */
export interface ContextQueries {
  /**
   * Runs one statement and returns its rows. Parameters are positional, or one object of named
   * parameters.
   *
   * When `ctx` ends, rejects with `ctx.err()`: at once while it waits for its turn, and otherwise when
   * the engine has stopped. A result that arrives before the engine has stopped is returned, and every
   * other error is the driver's own. While the engine waits for a lock of another process, it ignores
   * its interrupts. If it does so for two seconds, the caller gets `ctx.err()` then, and the receipt
   * says "abandoned". The database is not used again until the operation has ended.
   *
   * The engine computes on its own thread until it has the first row. The driver fetches the rows on
   * the event loop, a hundred at a time, and the event loop gets its turn between them. If each row is
   * expensive, write `WITH q AS MATERIALIZED (…) SELECT * FROM q`, which computes all rows before the
   * first is fetched.
   *
   * @example
   * const orders = await db.all(ctx, "SELECT * FROM orders WHERE day = ?", day);
   */
  all(ctx: Context, sql: string, ...params: Parameters): Promise<Row[]>;

  /**
   * Runs one statement like `all` and reads its rows one by one, without ever holding all of them.
   * The statement starts when the loop asks for its first row. From then on it uses the database
   * alone, until its last row, until the loop is left, or until `ctx` ends: then the loop throws
   * `ctx.err()`.
   *
   * If the loop of a statement with RETURNING is left, its changes are kept, and the rest of its rows
   * is fetched for that. If `ctx` ends, its changes are undone.
   *
   * @example
   * for await (const order of db.stream(ctx, "SELECT * FROM orders WHERE day = ?", day)) print(order);
   */
  stream(ctx: Context, sql: string, ...params: Parameters): AsyncGenerator<Row, void, undefined>;
}

/** The statements of a transaction. Usable until the function that it was passed to has ended. */
export interface ContextTransaction extends ContextQueries {
  /**
   * Runs `fn` in a savepoint. If `fn` throws, its changes are undone, and the transaction around it
   * goes on. Until `fn` has ended, only the inner `tx` can be used.
   *
   * @example
   * await db.transaction(ctx, async (tx) => {
   *   await tx.all(ctx, "INSERT INTO orders VALUES (?)", id);
   *   await tx.transaction(ctx, (inner) => addGift(ctx, inner)).catch(report);
   * });
   */
  transaction<T>(
    ctx: Context,
    fn: (tx: ContextTransaction) => T | PromiseLike<T>,
  ): Promise<Awaited<T>>;
}

/** Statements and transactions. */
export interface ContextTransactional extends ContextQueries {
  /**
   * Begins a transaction, runs `fn`, commits, and returns the result of `fn`. Rolls back if `fn`
   * throws, or if `ctx` ends before the COMMIT starts: then the statement that is running is stopped,
   * and the promise rejects with `ctx.err()` after the rollback. A COMMIT that has started is not
   * interrupted.
   *
   * Statements that `fn` did not await end before the COMMIT, and are stopped before a rollback. If a
   * write is stopped, SQLite rolls the whole transaction back by itself. If `fn` catches that error,
   * its next statement and the promise reject with a `NothingCommittedError`.
   *
   * All other operations on this `Database` wait until the transaction has ended. Operations on
   * another `Database` do not see its changes until the COMMIT.
   *
   * @example
   * await db.transaction(ctx, async (tx) => {
   *   await tx.all(ctx, "INSERT INTO orders VALUES (?)", id);
   *   await tx.all(ctx, "UPDATE stock SET n = n - 1 WHERE id = ?", id);
   * });
   */
  transaction<T>(
    ctx: Context,
    fn: (tx: ContextTransaction) => T | PromiseLike<T>,
    options?: TransactionOptions,
  ): Promise<Awaited<T>>;
}

export interface TransactionOptions {
  /**
   * When the transaction locks the database. "deferred", the default: at its first read or write.
   * "immediate": at once, against other writers. "exclusive": at once, against readers too.
   */
  mode?: "deferred" | "immediate" | "exclusive";
}

/** A `Database` whose methods take a context first. */
export interface ContextDatabase extends ContextTransactional {
  /**
   * Runs `fn` while all other operations on this `Database` wait. Afterwards statements that still run
   * are awaited, or stopped if `fn` has thrown, and an open transaction is rolled back. The `Database`
   * keeps its settings and temporary tables.
   *
   * When `ctx` ends, the statements under it stop. `fn` can then clean up under a context that is
   * live, such as that of `shield`: until its deadline, or for two seconds if it has none.
   *
   * @example
   * await db.connection(ctx, async (own) => {
   *   await own.all(ctx, "CREATE TEMP TABLE today AS SELECT * FROM orders WHERE day = ?", day);
   *   return await own.all(ctx, "SELECT * FROM today");
   * });
   */
  connection<T>(
    ctx: Context,
    fn: (db: ContextTransactional) => T | PromiseLike<T>,
  ): Promise<Awaited<T>>;
}

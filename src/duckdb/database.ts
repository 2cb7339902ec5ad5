/** The public types of what `withContext` returns. */
import type { Context } from "../index.ts";
import type { ConnectionLike, ContextMethod, ContextStream, PreparedOf } from "./types.ts";

/**
 * The driver's methods that run SQL and read its result, with the context as their first parameter.
 *
 * When `ctx` ends, each of them rejects with `ctx.err()`: at once while it waits for its turn, and
 * otherwise when the engine has stopped. A result that arrives before the engine has stopped is
 * returned, and every other error is the driver's own. If the engine ignores its interrupts for two
 * seconds, the caller gets `ctx.err()` then, and the receipt says "abandoned". The connection is not
 * used again until the operation has ended.
 */
export interface ContextQueries<C extends ConnectionLike> {
  run: ContextMethod<C, C["run"]>;
  runAndRead: ContextMethod<C, C["runAndRead"]>;
  runAndReadAll: ContextMethod<C, C["runAndReadAll"]>;
  runAndReadUntil: ContextMethod<C, C["runAndReadUntil"]>;

  /**
   * Reads rows while they arrive, without ever holding all of them. The query starts when the loop
   * asks for its first row. From then on it uses its connection alone, until its last row, until the
   * loop is left, or until `ctx` ends: then the loop throws `ctx.err()`.
   *
   * A stream of the driver that fails in the middle looks like one that is complete. To tell them
   * apart, this stream runs in a transaction of its own, unless one is open. It throws if the result
   * is incomplete, but not with the engine's own message, which the driver loses. For the same reason
   * the driver's `streamAndRead…` methods are missing here: use `runAndRead…` instead. Its `start…`
   * methods are missing because they compute on the event loop.
   *
   * @example
   * for await (const order of db.stream(ctx, "FROM orders WHERE day = $1", [day])) print(order);
   * for await (const chunk of db.stream(ctx, { sql: "FROM orders", read: "chunks" })) add(chunk);
   */
  stream: ContextStream<C>;
}

/** Statements on one connection, such as those of a transaction. */
export interface ContextTransaction<C extends ConnectionLike> extends ContextQueries<C> {
  /**
   * Prepares a statement on this connection. The methods here take it instead of SQL, and bind its
   * values when it is their turn. The caller owns the statement: call its `destroySync()` when it is
   * no longer in use, or leave that to the end of the connection.
   *
   * @example
   * const sum = await db.prepare(ctx, "SELECT $1::INT + $2::INT");
   * const reader = await db.runAndReadAll(ctx, sum, [1, 2]);
   */
  prepare(ctx: Context, sql: string): Promise<PreparedOf<C>>;
}

/** Statements and transactions on one connection. */
export interface ContextTransactional<C extends ConnectionLike> extends ContextTransaction<C> {
  /**
   * Begins a transaction, runs `fn`, commits, and returns the result of `fn`. Rolls back if `fn`
   * throws, or if `ctx` ends before the COMMIT starts: then the statement that is running is stopped,
   * and the promise rejects with `ctx.err()` after the rollback. A COMMIT that has started is not
   * interrupted.
   *
   * Statements that `fn` did not await end before the COMMIT, and are stopped before a rollback. A
   * statement that fails or is stopped aborts the whole transaction. If `fn` catches that error and
   * returns, the promise rejects with a `NothingCommittedError`. DuckDB has no savepoints, so a
   * transaction cannot contain another.
   *
   * @example
   * await db.transaction(ctx, async (tx) => {
   *   await tx.run(ctx, "INSERT INTO orders VALUES ($1)", [id]);
   *   await tx.run(ctx, "UPDATE stock SET n = n - 1 WHERE id = $1", [id]);
   * });
   */
  transaction<T>(
    ctx: Context,
    fn: (tx: ContextTransaction<C>) => T | PromiseLike<T>,
  ): Promise<Awaited<T>>;
}

/** A `DuckDBConnection` whose methods take a context first. */
export interface ContextConnection<C extends ConnectionLike> extends ContextTransactional<C> {
  /**
   * Runs `fn` with a connection that no other caller uses meanwhile, for temporary tables, `SET` or
   * prepared statements. For an instance, this opens a connection, which counts as one of `max`. For
   * a connection, all other operations wait until `fn` has ended.
   *
   * Afterwards statements that still run are awaited, or stopped if `fn` has thrown, and an open
   * transaction is rolled back. The connection of an instance is then closed. A connection of yours
   * keeps its settings and temporary tables.
   *
   * When `ctx` ends, the statements under it stop. `fn` can then clean up under a context that is
   * live, such as that of `shield`: until its deadline, or for two seconds if it has none.
   *
   * @example
   * await db.connection(ctx, async (own) => {
   *   await own.run(ctx, "CREATE TEMP TABLE today AS FROM orders WHERE day = current_date");
   *   return await own.runAndReadAll(ctx, "FROM today");
   * });
   */
  connection<T>(
    ctx: Context,
    fn: (connection: ContextTransactional<C>) => T | PromiseLike<T>,
  ): Promise<Awaited<T>>;
}

/** A `DuckDBInstance` whose calls take a context first. It has no `prepare`: use `connection` for that. */
export type ContextInstance<C extends ConnectionLike> = Omit<ContextConnection<C>, "prepare">;

export interface InstanceOptions {
  /**
   * How many operations of this instance may run at once. The others wait, in order. The default is
   * 3. All instances of the process together run at most one statement less than Node has threads
   * for files, DNS and DuckDB: four by default, or as many as `UV_THREADPOOL_SIZE` says.
   */
  max?: number;
}

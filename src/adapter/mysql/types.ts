/** The public types that `eightysix/mysql2` and `eightysix/mariadb` share. `S` is the driver's own part. */
import type { Context } from "../../index.ts";
import type { ConnectionOptions } from "../session.ts";
import type { IsolationLevel } from "../isolation.ts";

/** How a transaction begins. The server's default holds for each option that is left out. */
export interface TransactionOptions {
  /** Costs one more round trip, because the server takes the level in a statement of its own. */
  isolation?: IsolationLevel;
  /** `true` begins a READ ONLY transaction, `false` a READ WRITE one. */
  readOnly?: boolean;
}

/** The methods inside a transaction. They work until the function that received them settles. */
export type ContextTransaction<S> = S & NestedTransaction<S>;

export interface NestedTransaction<S> {
  /**
   * Runs `fn` in a savepoint. If `fn` throws, its changes are undone, and the transaction around it
   * continues. While `fn` runs, only the inner `tx` can be used.
   */
  transaction<T>(
    ctx: Context,
    fn: (tx: ContextTransaction<S>) => T | PromiseLike<T>,
  ): Promise<Awaited<T>>;
}

/** The methods of one connection: the driver's methods and `transaction`. */
export type ContextTransactional<S> = S & Transactions<S>;

export interface Transactions<S> {
  /**
   * Begins a transaction, runs `fn`, commits, and resolves with the result of `fn`.
   *
   * If `fn` throws, the transaction is rolled back. It is also rolled back if `ctx` ends before the
   * server has answered the COMMIT: the running statement is stopped first, and the promise rejects
   * with `ctx.err()` after the rollback. The rollback does not depend on `ctx`. If it takes longer
   * than the stop timeout, the connection is destroyed.
   *
   * If `fn` returns before all its statements have settled, the COMMIT waits for them. A rollback
   * stops them first.
   *
   * After some errors, such as a deadlock, the server rolls the whole transaction back. If `fn`
   * catches that error and goes on, its next statements are refused and the transaction rejects
   * with an error of `code` "ERR_NOTHING_COMMITTED". Without this check, the server would commit
   * each of those statements by itself. Statements that commit implicitly (DDL) also do so here. If
   * the server does not answer the COMMIT within the stop timeout, it is unknown whether the
   * transaction was committed.
   *
   * On a single connection, transactions, `connection` and single statements run one after another.
   * `fn` must send its statements through its `tx`.
   */
  transaction<T>(
    ctx: Context,
    fn: (tx: ContextTransaction<S>) => T | PromiseLike<T>,
    options?: TransactionOptions,
  ): Promise<Awaited<T>>;
}

/** The methods that `withContext` returns. Each takes a context first. */
export type DatabaseOf<S> = ContextTransactional<S> & Connections<S>;

export interface Connections<S> {
  /**
   * Runs `fn` with a connection of its own, for temporary tables, `SET` and `GET_LOCK`. Waits for the
   * connection as single statements do.
   *
   * After `fn` has returned, its unfinished statements are awaited. If it has thrown, they are
   * stopped. Then an open transaction is rolled back, and the connection returns to its pool. The
   * settings that `fn` made stay on the connection.
   *
   * When `ctx` ends, the statements under it stop. `fn` can then clean up under a context that is
   * live, such as that of `shield`: until the deadline of that context or, if it has none, for one
   * stop timeout. If `ctx` has ended by the time at which `fn` and its statements have ended, the
   * pool's connection is closed, so that locks, temporary tables and settings reach no other caller.
   * The option `after: "keep"` returns it to the pool instead. A connection of yours is not closed
   * for that.
   */
  connection<T>(
    ctx: Context,
    fn: (db: ContextTransactional<S>) => T | PromiseLike<T>,
    options?: ConnectionOptions,
  ): Promise<Awaited<T>>;
}

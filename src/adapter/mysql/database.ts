/** What `withContext` of the adapters of MySQL and MariaDB returns, but for the drivers' methods. */
import type { Context } from "../../index.ts";
import type { TransactionOptions } from "./begin.ts";
import type { StopOptions } from "../settings.ts";

export type { TransactionOptions } from "./begin.ts";

/**
 * In milliseconds, unless the caller says. More than elsewhere, because MariaDB tries for two seconds
 * to take a mutex of the statement that it kills, and one in `SLEEP()` may wait for the killer's.
 */
export const MYSQL_STOP_TIMEOUT = 3_000;

export interface WithContextOptions extends StopOptions {
  /**
   * What becomes of the connection after a statement was canceled. "reuse", the default, gives it
   * back healthy. "destroy" closes it, after the KILL QUERY all the same.
   */
  onCancel?: "reuse" | "destroy";
  /**
   * How long the server may take to stop a statement, in milliseconds, 3000 by default: MariaDB
   * itself can take two seconds over a KILL, if that meets a statement as it goes to sleep. After
   * that the connection is destroyed, the caller gets `ctx.err()`, and the receipt says "abandoned".
   */
  stopTimeout?: number;
  /**
   * Whether the server is told of deadlines, true by default: MariaDB (from 10.1.2 on) gets
   * `SET STATEMENT max_statement_time=… FOR` before the text of a SELECT, INSERT, UPDATE, DELETE,
   * REPLACE or WITH that `query` or `stream` sends, with what remains plus the stop timeout, for the case
   * that this process or its network is gone by then. Logs of the server show it, and a proxy that
   * routes by the first word sees it: turn it off there. A shorter limit that is set already holds.
   * `execute` and `batch` are left as they are, and so is MySQL, whose only means would override
   * the limits that are set.
   */
  serverTimeout?: boolean;
}

/** What runs inside a transaction. Good until the function that was given it is over. */
export type ContextTransaction<S> = S & Nesting<S>;

export interface Nesting<S> {
  /**
   * Runs `fn` in a savepoint: what it did is undone if it throws, and the transaction around it
   * goes on. Meanwhile only the inner `tx` can be used.
   */
  transaction<T>(
    ctx: Context,
    fn: (tx: ContextTransaction<S>) => T | PromiseLike<T>,
  ): Promise<Awaited<T>>;
}

/** What can begin a transaction. */
export type ContextTransactional<S> = S & Beginning<S>;

export interface Beginning<S> {
  /**
   * Begins a transaction, runs `fn`, and commits; returns what `fn` does. Rolls back when `fn`
   * throws, and when `ctx` ends before the COMMIT was answered: then the statement that is running
   * is stopped, and the promise rejects with `ctx.err()` when all is over. The rollback does not
   * depend on `ctx`, and takes at most the stop timeout; after that the connection is destroyed.
   *
   * Statements that `fn` did not await are over before the COMMIT, and stopped before a ROLLBACK.
   * When the server has rolled everything back by itself, as after a deadlock, and `fn` swallows
   * that error, what it sends next is refused and the transaction rejects, with an error of `code`
   * "ERR_NOTHING_COMMITTED": the server would have taken each statement for itself, and kept it.
   * Statements that commit implicitly (DDL) do so here as well. Should the server not answer a
   * COMMIT within the stop timeout, nobody knows what became of it.
   *
   * On a single connection, transactions, `connection` and single statements take turns: what `fn`
   * sends must go through its `tx`.
   */
  transaction<T>(
    ctx: Context,
    fn: (tx: ContextTransaction<S>) => T | PromiseLike<T>,
    options?: TransactionOptions,
  ): Promise<Awaited<T>>;
}

/** Statements that take a context first. */
export type ContextDatabase<S> = ContextTransactional<S> & Lending<S>;

export interface Lending<S> {
  /**
   * Runs `fn` with a connection of its own, for temporary tables, `SET`, `GET_LOCK`. Waits its turn
   * for it as statements do. Afterwards what is still running there is awaited, or stopped if `fn`
   * has thrown, an open transaction is rolled back, and the connection goes back to its pool, with
   * the settings that `fn` made.
   */
  connection<T>(
    ctx: Context,
    fn: (db: ContextTransactional<S>) => T | PromiseLike<T>,
  ): Promise<Awaited<T>>;
}

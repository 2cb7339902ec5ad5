/** What a driver supplies, so that an ORM on it stops with a context. */
import type { Context } from "../../index.ts";

/**
 * One connection of a driver, as `BoundConnection` uses it. `S` is the driver's form of a statement:
 * its SQL, values and options. `R` is the driver's own answer, which nothing here looks at.
 *
 * `BoundConnection` is the only caller. It decides which of the methods a statement goes to, and
 * when the connection may go back. If the connection ends during a lease, for whatever reason, the
 * driver calls `BoundConnection.loseConnection`.
 */
export interface DriverConnection<S, R> {
  /**
   * Returns the SQL of a statement. Called once for each statement, before it is sent. Anything but
   * a string counts as a statement that neither begins nor ends a transaction. Must not throw.
   */
  textOf(statement: S): unknown;
  /**
   * Sends a statement, and stops it when `ctx` ends. Called once for each statement, also when `ctx`
   * is done. Several calls may overlap. The driver sends them in the order of the calls.
   *
   * Settles as `runStoppable` does: only when neither the statement nor its stop can affect another
   * statement. Rejects with `ctx.err()` if the context ended the statement or kept it from being
   * sent, and with the driver's own error otherwise.
   */
  run(ctx: Context, statement: S): PromiseLike<R>;
  /**
   * Sends a statement that the end of `ctx` does not stop, also when `ctx` is done. Called for BEGIN,
   * COMMIT, ROLLBACK and savepoints.
   *
   * Settles as `runUnstoppable` and `runDetached` do. If the server does not answer within the stop
   * timeout after the end of `ctx`, destroys the connection and rejects with `ctx.err()`.
   */
  runUnstoppable(ctx: Context, statement: S): PromiseLike<R>;
  /**
   * Sends a ROLLBACK in place of a COMMIT, because `ctx` is done. Settles as `runUnstoppable` does.
   */
  rollback(ctx: Context): PromiseLike<unknown>;
  /**
   * Returns whether the server has rolled back although it was asked to commit. Called once for each
   * COMMIT that was answered. `answer` is what `runUnstoppable` has resolved with. Must not throw.
   */
  hasRolledBack(answer: R): boolean;
  /**
   * Returns whether a transaction is open, as the server reported it last. Called by `release` if a
   * statement was stopped or refused during the lease. Must not throw.
   */
  isTransactionOpen(): boolean;
  /**
   * Returns whether something runs on the connection that did not go through `run` or
   * `runUnstoppable`. Called by `release`, only after `recordUntracked`. Must not throw.
   */
  isBusy(): boolean;
  /**
   * Gives the connection back to its pool. Called once for each lease that `destroy` does not end,
   * and for each `release` of a connection that has no lease. No statement runs on the connection.
   *
   * `reason` is what the caller passed to `release`. If it is given, the pool must close the
   * connection. What this method throws reaches the caller of `release`, unless the release had to
   * wait. In that case it becomes a process warning.
   */
  giveBack(reason?: unknown): void;
  /**
   * Does what the driver does if a connection is released twice: throws, or does nothing. Called by
   * each `release` after the end of the lease. Must not end a later lease of the connection.
   */
  releaseAgain(): void;
  /**
   * Destroys the connection, whatever runs on it, and removes it from its pool. Called at most once
   * for each lease, in place of `giveBack`. Must not throw.
   */
  destroy(): void;
}

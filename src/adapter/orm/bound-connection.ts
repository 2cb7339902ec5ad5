/** The rules for a connection that an ORM uses under a context. They are the same for every driver. */
import { isContextError, throwIfDone, type Context } from "../../index.ts";
import { callAdapter } from "../call-adapter.ts";
import { showCaller } from "../misuse.ts";
import { NothingCommittedError } from "../transaction.ts";
import type { DriverConnection } from "./driver-connection.ts";
import type { ContextOf } from "./inherited-context.ts";
import {
  hasSeveralStatements,
  transactionCommandOf,
  type TransactionCommand,
} from "./transaction-command.ts";

/**
 * One connection whose statements belong to contexts. There is one for each connection, however
 * often it is leased, because ORMs know their connections by identity.
 *
 * - A statement stops when its context ends. After that, only BEGIN, SET TRANSACTION and ROLLBACK are
 *   sent.
 * - A COMMIT waits for the statements before it. If the context is done by then, a ROLLBACK is sent
 *   in its place, and the COMMIT rejects with `ctx.err()`. A COMMIT that was sent is not stopped,
 *   and its answer is its result.
 * - A connection does not go back while a statement runs on it. `release` waits for the statement or
 *   destroys the connection. Otherwise a late stop could hit a statement of the next lease.
 * - A connection does not go back inside a transaction in which a statement was stopped.
 */
export class BoundConnection<S, R> {
  readonly #driver: DriverConnection<S, R>;
  #contextOf: ContextOf = () => undefined;
  /** Who owns the connection. After the end of a lease, the pool may lease it to another caller. */
  #owner: "caller" | "lease" | "pool" = "caller";
  /** The results of all statements that have not settled. */
  readonly #unsettled = new Set<Promise<R>>();
  /** Settles when the statements before a COMMIT have settled. Later statements wait for it too. */
  #beforeCommit: Promise<unknown> | undefined;
  /** Whether a statement was stopped or refused. The caller may not have cleaned up after it. */
  #wasInterrupted = false;
  #hasUntracked = false;
  /** Gives the connection back when no statement runs on it any more. */
  #pendingRelease: (() => void) | undefined;
  /** Whether the pool has the connection back, although the caller has not released it. */
  #wasLost = false;

  constructor(driver: DriverConnection<S, R>) {
    this.#driver = driver;
  }

  /** Binds a connection that still belongs to the caller, who manages its transactions. */
  bindOwned(contextOf: ContextOf): void {
    this.#contextOf = contextOf;
  }

  /** Binds a connection for one lease, which `release` ends. */
  bindLeased(contextOf: ContextOf): void {
    this.#contextOf = contextOf;
    this.#owner = "lease";
    this.#wasInterrupted = false;
    this.#hasUntracked = false;
    // The last lease ended without `release`, so its release must not end this one.
    this.#pendingRelease = undefined;
    this.#wasLost = false;
  }

  /**
   * Ends the lease, because the connection has ended. The pool gets it back at once and replaces it,
   * because not every ORM releases a connection whose BEGIN has failed. The release of the caller
   * then does nothing.
   */
  loseConnection(): void {
    if (this.#owner !== "lease") return;
    this.#owner = "pool";
    this.#wasLost = this.#pendingRelease === undefined;
    this.#pendingRelease = undefined;
    callAdapter("destroy", () => this.#driver.destroy());
  }

  /** Returns the context of a statement that is created now, if there is one. */
  currentContext(): Context | undefined {
    return this.#contextOf();
  }

  /**
   * Runs a statement under `ctx`. Rejects with `ctx.err()` if the context stopped or refused it, with
   * a NothingCommittedError if it is a COMMIT that the server answered with a rollback, and with the
   * driver's own error otherwise.
   */
  run(ctx: Context, statement: S): Promise<R> {
    const result = this.#runInOrder(ctx, statement);
    this.#unsettled.add(result);
    // Registered before the caller's own reactions, so the caller can release at once.
    const settle = (): void => this.#settle(result);
    result.then(settle, settle);
    return result;
  }

  /**
   * Records that the driver has sent something whose end this class does not learn, such as a
   * cursor. The lease then ends as if a statement had been stopped.
   */
  recordUntracked(): void {
    this.#hasUntracked = true;
  }

  /**
   * Ends the lease. Gives the connection back, or destroys it if a stop may have left it busy or
   * inside a transaction. If statements are running and none was stopped, waits for them first. A
   * second call during this wait does nothing. A call after the end of the lease does not reach the
   * connection, which may have been leased to another caller.
   *
   * With a `reason`, the connection is closed. A context error is no reason, because a statement
   * that was stopped leaves a healthy connection.
   */
  release(reason?: unknown): void {
    if (this.#pendingRelease !== undefined) return;
    if (this.#wasLost) {
      this.#wasLost = false;
      return;
    }
    if (this.#owner === "pool") {
      this.#driver.releaseAgain();
      return;
    }
    const ctx = this.#contextOf();
    const mustClose = isContextError(reason) ? undefined : reason;
    if (this.#unsettled.size === 0) {
      this.#endLease(ctx, mustClose);
    } else if (mustClose || (this.#owner === "lease" && this.#isSuspect(ctx))) {
      this.#leave();
      this.#driver.destroy();
    } else {
      this.#pendingRelease = () => this.#endLease(ctx, undefined);
    }
  }

  #endLease(ctx: Context | undefined, reason: unknown): void {
    const wasLeased = this.#leave();
    if (wasLeased && this.#isSuspect(ctx) && this.#isOpenOrBusy()) this.#driver.destroy();
    else this.#driver.giveBack(reason);
  }

  /** Records the end of the lease. Returns false if there was none. */
  #leave(): boolean {
    const isLeased = this.#owner === "lease";
    if (isLeased) this.#owner = "pool";
    return isLeased;
  }

  /** Returns whether the caller may have left something behind because of a stop. */
  #isSuspect(ctx: Context | undefined): boolean {
    return this.#wasInterrupted || this.#hasUntracked || ctx?.err() !== undefined;
  }

  #isOpenOrBusy(): boolean {
    return this.#driver.isTransactionOpen() || (this.#hasUntracked && this.#driver.isBusy());
  }

  #settle(result: Promise<R>): void {
    this.#unsettled.delete(result);
    const release = this.#pendingRelease;
    if (release === undefined || this.#unsettled.size > 0) return;
    this.#pendingRelease = undefined;
    callAdapter("giveBack", release);
  }

  async #runInOrder(ctx: Context, statement: S): Promise<R> {
    try {
      const command = commandOf(this.#driver.textOf(statement));
      if (command === "commit" && this.#unsettled.size > 0) {
        const earlier = (this.#beforeCommit = Promise.allSettled(this.#unsettled));
        await earlier;
        if (this.#beforeCommit === earlier) this.#beforeCommit = undefined;
      } else if (this.#beforeCommit !== undefined) await this.#beforeCommit;
      return await this.#send(ctx, statement, command);
    } catch (error) {
      if (isContextError(error)) this.#wasInterrupted = true;
      return showCaller(error);
    }
  }

  #send(ctx: Context, statement: S, command: TransactionCommand): PromiseLike<R> {
    switch (command) {
      case "savepoint":
        throwIfDone(ctx);
        return this.#driver.runUnstoppable(ctx, statement);
      case "begin":
      case "rollback":
        return this.#driver.runUnstoppable(ctx, statement);
      case "commit":
        return this.#commit(ctx, statement);
      case "other":
        return this.#driver.run(ctx, statement);
    }
  }

  /** The rollback is not left to the ORM, because not every ORM sends one if a COMMIT fails. */
  async #commit(ctx: Context, statement: S): Promise<R> {
    const err = ctx.err();
    if (err !== undefined) {
      await this.#driver.rollback(ctx);
      throw err;
    }
    const answer = await this.#driver.runUnstoppable(ctx, statement);
    if (this.#driver.hasRolledBack(answer)) throw ctx.err() ?? new NothingCommittedError();
    return answer;
  }
}

/**
 * Returns what a text does to a transaction. A BEGIN or ROLLBACK that more statements follow counts
 * as "other", because those would be sent too although the context is done.
 */
function commandOf(text: unknown): TransactionCommand {
  const command = transactionCommandOf(text);
  const isSent = command === "begin" || command === "rollback";
  return isSent && hasSeveralStatements(text) ? "other" : command;
}

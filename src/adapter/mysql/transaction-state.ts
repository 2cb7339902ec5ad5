/** Whether a transaction is open on one connection, as far as the driver reports it. */
import { NothingCommittedError } from "../transaction.ts";

/**
 * The state of the transaction on one connection.
 *
 * It distinguishes the transaction that `transaction()` has begun from one that a single statement
 * has left open, such as `START TRANSACTION` or a procedure.
 */
export class TransactionState {
  #managed: "none" | "open" | "rolled back" = "none";
  #isOpenOnServer = false;

  /** Whether a transaction of `transaction()` is open. */
  get isOpen(): boolean {
    return this.#managed === "open";
  }

  /** Whether a transaction of any kind is open, by the server's last report. */
  get isOpenOnServer(): boolean {
    return this.#isOpenOnServer;
  }

  begin(): void {
    this.#managed = "open";
  }

  /** Ends the transaction of `transaction()`, before or after the server does. */
  end(): void {
    this.#managed = "none";
  }

  /** Records that the server has answered a ROLLBACK. */
  recordRollback(): void {
    this.#isOpenOnServer = false;
  }

  /**
   * Records what the driver reports after a statement has succeeded. `undefined` means that the
   * driver does not know. If the transaction is closed, the statement has ended it, as DDL does.
   */
  recordSuccess(isInTransaction: boolean | undefined): void {
    this.#isOpenOnServer = isInTransaction ?? this.#isOpenOnServer;
    if (isInTransaction === false && this.isOpen) this.#managed = "none";
  }

  /**
   * Records what the driver reports after a statement has failed. If the transaction is closed, the
   * server has rolled it back.
   */
  recordFailure(isInTransaction: boolean | undefined): void {
    this.#isOpenOnServer = isInTransaction ?? this.#isOpenOnServer;
    if (isInTransaction === false && this.isOpen) this.#managed = "rolled back";
  }

  /**
   * Throws if the server has rolled the transaction back. The next statement would run outside of
   * any transaction, and its changes would stay.
   */
  check(): void {
    if (this.#managed === "rolled back") throw new RolledBackError();
  }
}

/**
 * Thrown for a statement in a transaction that the server has already rolled back. The server does
 * that after a deadlock and, with some settings, after a lock wait timeout.
 */
class RolledBackError extends NothingCommittedError {
  constructor() {
    super();
    this.message =
      "the server has rolled this transaction back because one of its statements failed, for example in a deadlock; let that statement's error leave the function that transaction() runs";
  }
}

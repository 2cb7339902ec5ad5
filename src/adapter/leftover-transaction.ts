/** A transaction that a single statement has left open on a pooled connection, such as BEGIN. */
import type { Context } from "../index.ts";
import { callerStack, cleanUp, framesOfProgram, isDevelopment, warnOnce } from "../internal.ts";
import { callAdapter } from "./call-adapter.ts";
import { STOP_TIMEOUT } from "./stoppable.ts";

/** The parts of a connection that `rollBackLeftover` uses. */
export interface LeftoverTransaction {
  /** The statement that left the transaction open. */
  readonly what: string;
  /** Rolls back, and records that in the ledger of `ctx` as work. */
  rollback(ctx: Context): PromiseLike<unknown>;
  /** Destroys the connection, so that the server rolls back. Must not throw. */
  destroy(reason: unknown): void;
}

/**
 * Rolls back a transaction that a single statement has left open, before its connection goes back to
 * a pool. Otherwise statements of other callers would run in that transaction, and would not be
 * committed. The rollback does not end with `ctx`. If it fails, or takes more than `stopTimeout`
 * milliseconds, the connection is destroyed.
 *
 * In development mode, it emits a process warning, once for each call site. Never rejects.
 */
export async function rollBackLeftover(
  ctx: Context,
  leftover: LeftoverTransaction,
  stopTimeout = STOP_TIMEOUT,
): Promise<void> {
  if (isDevelopment()) {
    const stack = callerStack(ctx);
    warnOnce(
      "EIGHTYSIX_TRANSACTION_LEFT_OPEN",
      "a single statement left a transaction open on a pooled connection, and the transaction was rolled back; use transaction(ctx, fn), or connection(ctx, fn) for statements of your own such as BEGIN",
      stack === undefined ? leftover.what : framesOfProgram(stack),
      stack === undefined ? leftover.what : `${stack}\n${leftover.what}`,
    );
  }
  try {
    await cleanUp(ctx, stopTimeout, (detached) => leftover.rollback(detached));
  } catch (reason) {
    callAdapter("destroy", () => leftover.destroy(reason));
  }
}

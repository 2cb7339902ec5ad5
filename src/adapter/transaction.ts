/** Transactions and savepoints, for every database that has them. */
import { throwIfDone, type Context } from "../index.ts";
import { cleanUp } from "../internal.ts";
import { callAdapter } from "./call-adapter.ts";
import { ConnectionScope } from "./connection-scope.ts";
import { STOP_TIMEOUT } from "./stoppable.ts";
import { runDetached } from "./unstoppable.ts";

/** The steps of one transaction, or of one savepoint within it. */
export interface TransactionSteps {
  begin(ctx: Context): Promise<unknown>;
  /** Rejects if nothing was committed. */
  commit(ctx: Context): Promise<unknown>;
  rollback(ctx: Context): Promise<unknown>;
  /**
   * Destroys the connection, so that the server rolls back what is left of the transaction. Must
   * not throw.
   */
  destroy(reason: unknown): void;
}

/**
 * Begins a transaction, runs `fn`, and commits. If one of these fails or is stopped, rolls back and
 * rejects with that failure. Operations that `fn` started and did not await end before the commit, and
 * are stopped before the rollback.
 *
 * The rollback does not end with `ctx`. If it takes more than `stopTimeout` milliseconds, the
 * connection is destroyed.
 */
export async function runTransaction<T>(
  ctx: Context,
  steps: TransactionSteps,
  fn: (connectionScope: ConnectionScope) => T | PromiseLike<T>,
  stopTimeout = STOP_TIMEOUT,
): Promise<T> {
  throwIfDone(ctx);
  const connectionScope = new ConnectionScope(ctx, "transaction");
  try {
    await steps.begin(ctx);
    const result = await fn(connectionScope);
    await connectionScope.end();
    await steps.commit(ctx);
    return result;
  } catch (error) {
    await connectionScope.end({ error });
    try {
      await cleanUp(ctx, stopTimeout, (detached) => steps.rollback(detached));
    } catch (reason) {
      callAdapter("destroy", () => steps.destroy(reason));
    }
    throw error;
  }
}

/**
 * Returns the steps of a savepoint, in the SQL that all databases share. `depth` is the level of
 * nesting, from 1, and part of the savepoint's name.
 */
export function savepoint(
  depth: number,
  execute: (ctx: Context, sql: string) => Promise<unknown>,
  destroy: (reason: unknown) => void,
  stopTimeout = STOP_TIMEOUT,
): TransactionSteps {
  const name = `eightysix_${depth}`;
  let exists = false;
  return {
    // SAVEPOINT is not stopped. After a stop it would be unknown whether the savepoint exists, and
    // a rollback to one that does not exist would abort the transaction around it.
    async begin(ctx) {
      await runDetached(ctx, (detached) => execute(detached, `SAVEPOINT ${name}`), stopTimeout);
      exists = true;
    },
    commit: (ctx) => execute(ctx, `RELEASE SAVEPOINT ${name}`),
    // The rollback also releases the savepoint. Otherwise the next savepoint of the same name would
    // hide it until the end of the transaction.
    async rollback(ctx) {
      if (!exists) return;
      await execute(ctx, `ROLLBACK TO SAVEPOINT ${name}`);
      await execute(ctx, `RELEASE SAVEPOINT ${name}`);
    },
    destroy,
  };
}

/**
 * Thrown when a COMMIT would commit, or has committed, nothing. PostgreSQL answers the COMMIT of a
 * transaction in which a statement has failed with a rollback, and reports a success. Other databases
 * end such a transaction earlier.
 */
export class NothingCommittedError extends Error {
  static {
    this.prototype.name = "NothingCommittedError";
  }
  readonly code = "ERR_NOTHING_COMMITTED";
  constructor() {
    super(
      "nothing was committed, because a statement of the transaction had failed or was stopped; let its error leave the function that transaction() runs, or run the statement in a nested transaction",
    );
  }
}

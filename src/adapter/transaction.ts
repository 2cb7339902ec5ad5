/** Transactions, the same for every database that has them. */
import {
  afterFunc,
  isContextError,
  shield,
  sleep,
  throwIfDone,
  withCancel,
  withoutCancel,
  type Context,
} from "../index.ts";
import { ConnectionScope } from "./connection-scope.ts";
import { STOP_TIMEOUT } from "./stoppable.ts";

/** One transaction, or one savepoint within it: what an adapter makes of each of its steps. */
export interface TransactionSteps {
  begin(ctx: Context): Promise<unknown>;
  /** Rejects if nothing was committed. */
  commit(ctx: Context): Promise<unknown>;
  rollback(ctx: Context): Promise<unknown>;
  /** Ends the connection at once: the server rolls back what is left of it. Never throws. */
  destroy(reason: unknown): void;
}

/**
 * Begins, runs `fn`, and commits; or rolls back when any of these fails or is stopped, and rejects
 * with that failure. What `fn` started and did not await is over before the commit, and stopped
 * before the rollback. The rollback is detached from `ctx`, and bounded: a connection that cannot
 * be rolled back within `stopTimeout` milliseconds is destroyed.
 */
export async function runTransaction<T>(
  ctx: Context,
  bracket: TransactionSteps,
  fn: (loan: ConnectionScope) => T | PromiseLike<T>,
  stopTimeout = STOP_TIMEOUT,
): Promise<T> {
  throwIfDone(ctx);
  const loan = new ConnectionScope(ctx, "transaction");
  try {
    await bracket.begin(ctx);
    const result = await fn(loan);
    await loan.end();
    await bracket.commit(ctx);
    return result;
  } catch (error) {
    await loan.end({ error });
    try {
      await shield(ctx, stopTimeout, (detached) => bracket.rollback(detached));
    } catch (reason) {
      bracket.destroy(reason);
    }
    throw error;
  }
}

/**
 * A transaction inside another: a savepoint, in the SQL that databases share. `depth` counts from 1
 * and names it.
 */
export function savepoint(
  depth: number,
  execute: (ctx: Context, sql: string) => Promise<unknown>,
  destroy: (reason: unknown) => void,
): TransactionSteps {
  const name = `eightysix_${depth}`;
  let begun = false;
  return {
    // Detached: a stop would leave nobody knowing whether it was made, and a rollback to one that was
    // not would spoil the transaction around it.
    async begin(ctx) {
      await unstopped(ctx, (detached) => execute(detached, `SAVEPOINT ${name}`));
      begun = true;
    },
    commit: (ctx) => execute(ctx, `RELEASE SAVEPOINT ${name}`),
    // Released as well, or the next of this name would hide it until the end of the transaction.
    async rollback(ctx) {
      if (!begun) return;
      await execute(ctx, `ROLLBACK TO SAVEPOINT ${name}`);
      await execute(ctx, `RELEASE SAVEPOINT ${name}`);
    },
    destroy,
  };
}

/** As `shield`, but its time begins when `ctx` ends: it may wait behind slow statements until then. */
async function unstopped<T>(ctx: Context, fn: (ctx: Context) => Promise<T>): Promise<T> {
  const detached = withCancel(withoutCancel(ctx));
  const takeBack = afterFunc(ctx, (err) => {
    sleep(detached, STOP_TIMEOUT).then(
      () => detached.cancel(err),
      () => undefined,
    );
  });
  try {
    return await fn(detached);
  } catch (error) {
    throw (isContextError(error) ? ctx.err() : undefined) ?? error;
  } finally {
    takeBack();
    detached.cancel();
  }
}

/** Thrown when a COMMIT was answered, and yet nothing was committed. */
export class NothingCommittedError extends Error {
  static {
    this.prototype.name = "NothingCommittedError";
  }
  readonly code = "ERR_NOTHING_COMMITTED";
  constructor() {
    super(
      "the COMMIT was answered with a rollback, because a statement of the transaction had failed; let its error leave the function that transaction() runs, or put it in a nested transaction",
    );
  }
}

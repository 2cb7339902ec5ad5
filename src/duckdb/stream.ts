/**
 * A result of DuckDB that is read while it arrives.
 *
 * The driver does not tell when a stream fails in the middle or is interrupted: its chunks just end,
 * because its `fetchChunk` does not ask for the error. A transaction does tell: the failure of one
 * statement aborts it, and then the next statement fails. So a stream runs in a transaction, and after
 * its last chunk one more statement finds out whether the stream was complete.
 */
import { type ConnectionSource, EngineStream } from "../adapter/index.ts";
import type { Context } from "../index.ts";
import { interruptible, isAborted, isInterrupt, rollback } from "./engine.ts";
import { threads } from "./threads.ts";
import type { ConnectionLike } from "./types.ts";

/** Opens a stream on a connection of `source`. `start` begins the query and returns its batches. */
export function openStream<C extends ConnectionLike>(
  ctx: Context,
  source: ConnectionSource<C>,
  what: string,
  start: (connection: C) => Promise<AsyncIterator<readonly unknown[]>>,
): EngineStream<C, unknown> {
  let wasUsed = false;
  let isComputing = false;
  let hasBegun = false;
  let batches: AsyncIterator<readonly unknown[]> | undefined;
  const fetchBatch = async (connection: C): Promise<readonly unknown[] | undefined> => {
    if (batches === undefined) {
      if (!(await isInTransaction(connection))) {
        await connection.run("BEGIN");
        hasBegun = true;
      }
      batches = await start(connection);
    }
    const step = await batches.next();
    if (step.done !== true) return step.value;
    await connection.run("SELECT 1").catch(throwEndedEarly);
    return undefined;
  };
  return new EngineStream(ctx, {
    ...interruptible(source, "duckdb.stream", what),
    interrupt(connection) {
      if (isComputing) connection.interrupt();
    },
    isInterrupt: (error) => isInterrupt(error) || error instanceof EndedEarlyError,
    // Between two batches the stream holds no thread, because its reader may take as long as it likes.
    async fetch(connection) {
      const giveThread = await threads.take(ctx);
      wasUsed = isComputing = true;
      try {
        return await fetchBatch(connection);
      } finally {
        isComputing = false;
        giveThread();
      }
    },
    async finish(connection, end) {
      if (!wasUsed) return;
      // Each of these statements also ends a result that was not read to its end.
      if (!hasBegun) await connection.run("SELECT 1").catch(() => undefined);
      else if (end === "failed") await rollback(connection);
      else await connection.run("COMMIT");
    },
  });
}

/**
 * Returns whether a transaction is open. Outside of one, each statement is a transaction with an id
 * of its own. A BEGIN that fails would tell as well, but it would abort the open transaction.
 */
async function isInTransaction(connection: ConnectionLike): Promise<boolean> {
  const readId = async (): Promise<unknown> => {
    const reader = await connection.runAndReadAll("SELECT txid_current()");
    return (reader as { getRows(): unknown[][] }).getRows()[0]?.[0];
  };
  return (await readId()) === (await readId());
}

class EndedEarlyError extends Error {}

function throwEndedEarly(error: unknown): never {
  if (!isAborted(error)) throw error;
  throw new EndedEarlyError(
    "the stream of DuckDB ended early, and its driver does not tell why; run the same query with run() to see the error",
    { cause: error },
  );
}

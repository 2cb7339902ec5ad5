/**
 * Reading a result while it comes in.
 *
 * The driver does not say when a stream fails in the middle, or is interrupted: the chunks just end
 * (its `fetchChunk` does not ask for the error). A transaction tells: one statement's failure aborts
 * it, and the next statement says so. Therefore a stream runs in a transaction, and at its end one
 * more statement asks whether that was the end.
 */
import { EngineStream } from "../adapter/engine/stream.ts";
import type { Context } from "../index.ts";
import { interruptible, isAborted, isInterrupt, rollback, type Engine } from "./engine.ts";
import type { ConnectionLike } from "./types.ts";

/** `start` begins the query; what it returns are its batches. */
export function streamOf<C extends ConnectionLike>(
  ctx: Context,
  engine: Engine<C>,
  what: string,
  start: (connection: C) => Promise<AsyncIterator<readonly unknown[]>>,
): EngineStream<C, unknown> {
  let own = false;
  let batches: AsyncIterator<readonly unknown[]> | undefined;
  return new EngineStream(ctx, {
    ...interruptible(engine, "duckdb.stream", what),
    isInterrupt: (error) => isInterrupt(error) || error instanceof EndedEarlyError,
    async fetch(connection) {
      if (batches === undefined) {
        if (!(await isInTransaction(connection))) {
          await connection.run("BEGIN");
          own = true;
        }
        batches = await start(connection);
      }
      const step = await batches.next();
      if (step.done !== true) return step.value;
      await connection.run("SELECT 1").catch(endedEarly);
      return undefined;
    },
    async finish(connection, end) {
      // Each of these also ends a stream that was not read to its end.
      if (!own) await connection.run("SELECT 1").catch(() => undefined);
      else if (end === "failed") await rollback(connection);
      else await connection.run("COMMIT");
    },
  });
}

/** Not by a BEGIN that may fail: that would abort the transaction that there is. */
async function isInTransaction(connection: ConnectionLike): Promise<boolean> {
  const ask = async (): Promise<unknown> => {
    const reader = await connection.runAndReadAll("SELECT txid_current()");
    return (reader as { getRows(): unknown[][] }).getRows()[0]?.[0];
  };
  return (await ask()) === (await ask()); // without one, each statement is a transaction
}

class EndedEarlyError extends Error {}

function endedEarly(error: unknown): never {
  if (!isAborted(error)) throw error;
  throw new EndedEarlyError(
    "DuckDB's stream ended early, and its driver does not say why; the same query with run() would",
    { cause: error },
  );
}

/** Waiting for a connection of a pool, and giving it back. */
import { afterFunc, startWork, throwIfDone, type Context } from "../index.ts";
import type { Pool, PoolClient } from "./driver.ts";

/**
 * A connection from the pool, first come, first served. When `ctx` ends first, this rejects at
 * once with `ctx.err()`; the pool still grants the connection in its turn (a Pool cannot take a
 * waiter back) and gets it back untouched. The wait is in the ledger as "pg.wait".
 */
export function checkOut(ctx: Context, pool: Pool, what: string): Promise<PoolClient> {
  return new Promise((resolve, reject) => {
    throwIfDone(ctx);
    const work = startWork(ctx, "pg.wait", what);
    const stay = afterFunc(ctx, (err) => {
      work.end();
      reject(err);
    });
    pool.connect((error: Error, client) => {
      if (!stay()) {
        // Not from within the grant: a release grants the next, which would recurse once for each
        // of the waiters that have left.
        if (client !== undefined) queueMicrotask(() => client.release());
        return;
      }
      work.end();
      if (client === undefined) reject(error);
      else {
        // A Pool listens only while the connection is its own, and without a listener the error of
        // a broken one ends the process. The query's own failure says it all.
        client.on("error", ignore);
        resolve(client);
      }
    });
  });
}

/** Gives a connection back; with a reason, the pool closes it instead. */
export function giveBack(client: PoolClient, reason?: unknown): void {
  if (reason === undefined) client.release();
  else {
    client.release(reason instanceof Error ? reason : true);
    // pg says goodbye and waits for the answer, and its pool waits for that to open another.
    client.connection.stream.destroy();
  }
  client.removeListener("error", ignore);
}

function ignore(): void {}

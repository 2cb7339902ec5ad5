/** A connection of a pool, for as long as it is ours. */
import { isJavaScriptClient, type PoolClient } from "./driver.ts";
import { forgetLimit } from "./server-timeout.ts";

/** Begins to use a client that a pool has granted. Throws, and gives it back, if it cannot be used. */
export function holdClient(client: PoolClient): void {
  if (!isJavaScriptClient(client) || client.pipeline === true) {
    client.release();
    throw new TypeError(
      client.pipeline === true
        ? "withContext cannot take a Pool in pipeline mode: a cancel request may hit any query in the pipeline; make the Pool without `pipeline`"
        : "withContext cannot take a Pool of pg.native, whose queries cannot be canceled; use pg.Pool",
    );
  }
  // A Pool listens only while the connection is its own, and without a listener the error of a
  // broken one ends the process. The query's own failure says it all.
  client.on("error", ignore);
}

/** Healthy; a pool that sees it broken closes it all the same. */
export function giveBack(client: PoolClient): void {
  client.release();
  client.removeListener("error", ignore);
}

/**
 * After statements of which nobody knows all: the connection is closed if it is inside a
 * transaction, or busy with what a `query_timeout` has given up.
 */
export function giveBackIfIdle(client: PoolClient): void {
  forgetLimit(client.connection);
  const end = (): void => {
    const status = client.getTransactionStatus?.() ?? "I";
    if (client.readyForQuery && status === "I") giveBack(client);
    else destroyClient(client);
  };
  // After a query that was never sent, pg takes a tick to be ready again.
  if (client.readyForQuery) end();
  else process.nextTick(end);
}

export function destroyClient(client: PoolClient): void {
  client.release(true);
  // pg says goodbye and waits for the answer, and its pool waits for that to open another.
  client.connection.stream.destroy();
  client.removeListener("error", ignore);
}

function ignore(): void {
  // see above
}

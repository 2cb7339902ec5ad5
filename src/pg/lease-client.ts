/** Leases of a pool's clients: how to wait for a client, check it and return it. */
import type { Context } from "../index.ts";
import { lease } from "../adapter/index.ts";
import { isJavaScriptClient, type Pool, type PoolClient } from "./driver.ts";
import { destroyPoolClient, ignoreError } from "./end-client.ts";
import { isOutsideTransaction, trackTransactionStatus } from "./transaction-status.ts";

/**
 * Leases a client, which the caller releases. Rejects with `ctx.err()` as soon as `ctx` is done.
 * Without a context, the wait ends when the pool ends it.
 */
export function leaseClient(ctx: Context | undefined, pool: Pool): Promise<PoolClient> {
  const take = (): Promise<PoolClient> =>
    new Promise((resolve, reject) => {
      pool.connect((error, client) => (client === undefined ? reject(error) : resolve(client)));
    });
  if (ctx === undefined) return take();
  return lease(ctx, { kind: "pg.wait", pool, take, giveBack: (client) => client.release() });
}

/** An object that waits for a client in `requestClient`. */
export interface ClientWaiter {
  /**
   * Takes the client, which the waiter returns afterwards. Returns false if it does not need the
   * client any more. Never throws.
   */
  accept(client: PoolClient): boolean;
  /** Receives the pool's error if there is no client. */
  fail(error: Error): void;
}

/**
 * Does what `leaseClient` does, for single queries. It costs neither a promise nor an object,
 * because the query itself is the waiter and watches its own context.
 */
export function requestClient(pool: Pool, waiter: ClientWaiter): void {
  pool.connect((error, client) => {
    if (client === undefined) waiter.fail(error);
    else if (!waiter.accept(client)) {
      // A pool cannot remove a waiter from its queue, so a waiter that has left is still granted a
      // client. The release happens after the grant. Inside the grant, each release would grant the
      // next waiter's client, and the calls would nest once for each waiter that has left.
      queueMicrotask(() => client.release());
    }
  });
}

/** Prepares a leased client for use. If it cannot be used, releases it and throws a TypeError. */
export function holdClient(client: PoolClient): void {
  if (!isJavaScriptClient(client) || client.pipeline === true) {
    client.release();
    throw new TypeError(
      client.pipeline === true
        ? "withContext cannot take a Pool in pipeline mode: a cancel request may hit any query in the pipeline; make the Pool without `pipeline`"
        : "withContext cannot take a Pool of pg.native, whose queries cannot be canceled; use pg.Pool",
    );
  }
  trackTransactionStatus(client);
  // A pool listens to "error" only while the client is idle. Without a listener, the error of a
  // broken connection would end the process. The query that runs there rejects with that error.
  client.on("error", ignoreError);
}

/** Returns a healthy client to its pool. A pool that finds the client broken closes it. */
export function returnClient(client: PoolClient): void {
  client.release();
  client.removeListener("error", ignoreError);
}

/**
 * Returns a client on which a caller's own statements have run. Destroys the client if it is inside
 * a transaction, or busy with a query that pg's `query_timeout` has given up.
 */
export function returnClientIfIdle(client: PoolClient): void {
  const finish = (): void => {
    if (client.readyForQuery && isOutsideTransaction(client)) returnClient(client);
    else destroyPoolClient(client);
  };
  // After a query that was never sent, pg is ready again one tick later.
  if (client.readyForQuery) finish();
  else process.nextTick(finish);
}

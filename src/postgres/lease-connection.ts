/**
 * Takes a connection from the driver's pool.
 *
 * Not with the driver's `reserve()`. That never resolves if `fetch_types` is off, or if the
 * connection that it waits for breaks. And its `release()` returns a broken connection to the pool,
 * or one that meanwhile serves another caller (porsager/postgres #751, #1195, #1199). So a
 * connection is taken as the driver's own `begin()` takes it: with a query that reports on which
 * connection it was sent.
 */
import { afterFunc, type Context, type Stop } from "../index.ts";
import { lease } from "../adapter/index.ts";
import { copyQuery, leaseQueryOf, type OnExecute, type Pool, type SentQuery } from "./driver.ts";
import { LeasedConnection } from "./leased-connection.ts";

/**
 * SQLSTATEs with which a server announces that it ends a connection. The driver keeps such an error
 * and rejects with it the first query of the next connection in the same place. A lease query that
 * fails like that has not run, so the lease starts over.
 */
const SERVER_CLOSES: ReadonlySet<unknown> = new Set(["57P01", "57P02", "57P05", "25P03"]);

/** Waits for a connection until `ctx` is done. Rejects with `ctx.err()` then. */
export function leaseConnection(
  ctx: Context,
  pool: Pool,
  stopTimeout: number,
): Promise<LeasedConnection> {
  return lease(ctx, {
    kind: "postgres.wait",
    pool,
    take: () => take(ctx, pool, stopTimeout),
    giveBack: (connection) => connection.giveBack(),
  });
}

function take(ctx: Context, pool: Pool, stopTimeout: number): Promise<LeasedConnection> {
  return new Promise((resolve, reject) => {
    const query = leaseQueryOf(pool);
    let leased: LeasedConnection | undefined;
    let unwatch: Stop | undefined;
    let timer: ReturnType<typeof setTimeout> | undefined;
    const stopWaiting = (): void => {
      unwatch?.();
      clearTimeout(timer);
    };
    const finish = (): void => {
      stopWaiting();
      const err = ctx.err();
      if (leased !== undefined) resolve(leased);
      else if (err !== undefined) reject(err);
      // The driver does not call `onexecute` if the socket's buffer was full.
      else resolve(take(ctx, pool, stopTimeout));
    };
    const onexecute: OnExecute = (connection) => {
      // If the caller has left meanwhile, the pool keeps the connection.
      if (ctx.err() !== undefined) return true;
      const taken = (leased = new LeasedConnection(pool, connection, sent));
      // A server that does not answer even this query will not answer others. But if other queries
      // were sent on the connection before this one, the server may be busy with those.
      if (sent.active === true) {
        const destroy = (): void => taken.destroy();
        unwatch = afterFunc(ctx, () => void (timer = setTimeout(destroy, stopTimeout)));
      }
      return false;
    };
    const sent: SentQuery = copyQuery(query, {
      // Queries of other callers can precede this one on the connection. Once this one has been
      // answered, the connection is free.
      resolve() {
        if (leased?.ready === undefined) finish();
        else void leased.ready.then(finish);
      },
      reject(error) {
        stopWaiting();
        leased?.giveBackAfterClose();
        const { code } = Object(error) as { code?: unknown };
        if (SERVER_CLOSES.has(code) && ctx.err() === undefined) {
          resolve(take(ctx, pool, stopTimeout));
        } else reject(error);
      },
    });
    Object.assign(sent.options, { onexecute });
    query.handler(sent);
  });
}

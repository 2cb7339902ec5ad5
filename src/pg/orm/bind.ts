/** Pools and clients that belong to one context, for ORMs and query builders. */
import type { Context } from "../../index.ts";
import { needContext, settingsOf } from "../../adapter/index.ts";
import { overrideMethods } from "../../adapter/orm/override-methods.ts";
import { isPool } from "../driver.ts";
import type { WithContextOptions } from "../settings.ts";
import type { ClientLike, PoolLike } from "../types.ts";
import { BoundClient } from "./bound-client.ts";
import { BoundPool, deliverClient } from "./bound-pool.ts";
import { isSqlOrConfig } from "./query-arguments.ts";

/**
 * Returns a `pg.Pool`, or a connected `pg.Client`, whose queries all belong to `ctx`. Hand it to an
 * ORM. Create one for each request: it costs a few objects, holds no resources, and need not be
 * closed.
 *
 * - `query`, in every form that pg has, stops on the server when `ctx` ends, and then rejects with
 *   `ctx.err()`. Any other failure is the driver's own error.
 * - `connect` stops waiting when `ctx` ends. The queries of the client that it returns belong to
 *   `ctx`.
 * - After `ctx` is done, a client sends nothing but BEGIN, SET TRANSACTION and ROLLBACK (also ABORT
 *   and ROLLBACK TO). These are not stopped. If the server does not answer them within the stop timeout, the
 *   connection is destroyed.
 * - A COMMIT that was not sent when `ctx` ended becomes a ROLLBACK and rejects with `ctx.err()`. A
 *   COMMIT that was sent is not stopped, and the server's answer is its result. While `ctx` is live,
 *   a COMMIT that the server answers with ROLLBACK rejects with an error of code
 *   "ERR_NOTHING_COMMITTED".
 * - `release`, of a client that `connect` returned, destroys the connection if a query was stopped
 *   and the transaction was left open.
 * - After a stop, the connection is used again or closed as the option `onCancel` says.
 * - Cursors (pg-cursor, pg-query-stream): a read that is running is stopped, and the next read
 *   rejects. Between reads the server is idle, and the cursor keeps its connection until it is
 *   closed.
 * - `end` does nothing, because the pool or client still belongs to its owner.
 * - Everything else (events, counts, options, `instanceof`) is the pool's own.
 *
 * Throws a TypeError for anything but a Pool or a Client. Clients of `pg.native` and clients in
 * pipeline mode are refused too.
 *
 * @example
 * const db = drizzle(bind(ctx, pool), { schema });
 * const orders = await db.select().from(schema.orders);
 */
export function bind<D extends PoolLike | ClientLike>(
  ctx: Context,
  driver: D,
  options: WithContextOptions = {},
): D {
  needContext(ctx, "bind(ctx, pool)");
  const settings = settingsOf(options);
  const end = (callback?: unknown): Promise<void> | undefined => {
    if (typeof callback !== "function") return Promise.resolve();
    queueMicrotask(callback as () => void);
    return undefined;
  };
  const contextOf = (): Context => ctx;
  if (!isPool(driver)) return new BoundClient(driver, settings, { end }).bindOwned(contextOf);
  const pool = new BoundPool(driver, settings);
  const proxy: D = overrideMethods(driver, {
    end,
    connect: (callback?: unknown) => deliverClient(pool.connect(ctx, contextOf), callback),
    query: (...args: unknown[]) =>
      isSqlOrConfig(args)
        ? pool.query(ctx, args)
        : // pg's own `query`, which leases a client from the proxy.
          Reflect.apply(driver.query as (...args: unknown[]) => unknown, proxy, args),
  });
  return proxy;
}

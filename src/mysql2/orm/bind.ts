/** Pools and connections that belong to one context, for ORMs and query builders. */
import type { Context } from "../../index.ts";
import { needContext, type Settings } from "../../adapter/index.ts";
import { mysqlSettings, type WithContextOptions } from "../../adapter/mysql/options.ts";
import { killConnectionsOf, turnsOf } from "../../adapter/mysql/owner.ts";
import { isCoreConnection, type CoreConnection } from "../driver.ts";
import { coreOf } from "../pool.ts";
import type { DriverLike } from "../types.ts";
import { BoundCoreConnection } from "./bound-core-connection.ts";
import { BoundPool } from "./bound-pool.ts";
import { likeDriver } from "./like-driver.ts";

/**
 * Returns a pool, or a connected connection, whose statements all belong to `ctx`. It has callbacks
 * or promises, as the one that it is made from. Hand it to an ORM. Create one for each request: it
 * costs a few objects, holds no resources, and need not be closed.
 *
 * - `query` and `execute`, in every form that mysql2 has, stop on the server when `ctx` ends, and
 *   then fail with `ctx.err()`. Any other failure is the driver's own error.
 * - A statement without a callback is read by its events, or by its `stream()`. Its rows end when
 *   `ctx` ends, with the error `ctx.err()`. It also stops on the server if the stream is destroyed.
 * - `getConnection` stops waiting when `ctx` ends. The statements of the connection that it returns
 *   belong to `ctx`.
 * - After `ctx` is done, a connection sends nothing but BEGIN, SET TRANSACTION and ROLLBACK (also
 *   ROLLBACK TO). These are not stopped. If the server does not answer them within the stop timeout,
 *   the connection is destroyed.
 * - A COMMIT that was not sent when `ctx` ended becomes a ROLLBACK and fails with `ctx.err()`. A
 *   COMMIT that was sent is not stopped, and the server's answer is its result.
 * - If the server rolls a transaction back by itself, as after a deadlock, the statements up to the
 *   next ROLLBACK are refused with an error of code "ERR_NOTHING_COMMITTED". Without this check, the
 *   server would commit each of them by itself.
 * - Statements of one connection run one after another. `release`, of a connection that
 *   `getConnection` returned, waits for those that run. It destroys the connection if a statement
 *   was stopped and the transaction was left open.
 * - `end` does nothing, because the pool or connection still belongs to its owner.
 * - Everything else (events, options, `escape`, `instanceof`) is the driver's own.
 *
 * On a connection of yours, do not send statements without this object while one may be stopped,
 * because KILL QUERY ends whatever runs there.
 *
 * Throws a TypeError for anything but a pool or a connection of mysql2, and for a wrong option.
 *
 * @example
 * const db = drizzle(bind(ctx, pool));
 * const orders = await db.select().from(schema.orders);
 */
export function bind<D extends DriverLike>(
  ctx: Context,
  driver: D,
  options: WithContextOptions = {},
): D {
  needContext(ctx, "bind(ctx, pool)");
  const settings = mysqlSettings(options);
  const core = coreOf(driver, "bind");
  const keepOpen = { end, [Symbol.dispose]: end };
  const proxy = isCoreConnection(core)
    ? bindConnection(ctx, core, settings, keepOpen)
    : new BoundPool(core, settings, () => ({ ctx, contextOf: () => ctx }), keepOpen).proxy;
  return likeDriver(driver, core, proxy);
}

function bindConnection(
  ctx: Context,
  core: CoreConnection,
  settings: Settings,
  keepOpen: Record<PropertyKey, unknown>,
): CoreConnection {
  const options = {
    killConnections: killConnectionsOf(core),
    turns: turnsOf(core),
    settings,
    giveBack: () => core.release?.(),
  };
  return new BoundCoreConnection(core, options, keepOpen).bindOwned(() => ctx);
}

function end(callback?: unknown): void {
  if (typeof callback === "function") queueMicrotask(callback as () => void);
}

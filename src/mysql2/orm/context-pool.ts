/** Pools for ORMs that keep their pool for the life of the process and pass no context on. */
import { mysqlSettings, type WithContextOptions } from "../../adapter/mysql/options.ts";
import { contextOf } from "../../adapter/orm/inherited-context.ts";
import { currentFrame } from "../../current/current-context.ts";
import { isCoreConnection } from "../driver.ts";
import { coreOf } from "../pool.ts";
import type { DriverLike } from "../types.ts";
import { BoundPool } from "./bound-pool.ts";
import { likeDriver } from "./like-driver.ts";

/**
 * Returns a pool whose statements belong to the current context, over `pool`. Use it for ORMs that
 * keep their pool for the life of the process. Call it once for each pool, and use the pool that it
 * returns in place of `pool`. Its `end` ends both.
 *
 * Inside `runWithContext(ctx, …)` of "eightysix/current", the pool behaves as `bind(ctx, pool)`
 * does. Without a current context it behaves as the pool itself, except that the statements of one
 * connection run one after another, and that `release` waits for them.
 *
 * A connection belongs to the `runWithContext` in which it was leased. Its statements belong to that
 * context, or to the context of a `runWithContext` inside it. An ORM may therefore use a connection
 * from anywhere. The pool's own operations (connecting and its events) belong to no context.
 *
 * Throws a TypeError for anything but a pool of mysql2 or `mysql2/promise`.
 *
 * @example
 * const pool = contextPool(mysql.createPool(url));
 * const db = knex({ client: "mysql2", connectionPool: pool });
 * const orders = await runWithContext(ctx, () => db("orders").where({ day }));
 */
export function contextPool<P extends DriverLike>(pool: P, options: WithContextOptions = {}): P {
  const settings = mysqlSettings(options);
  const core = coreOf(pool, "contextPool");
  if (isCoreConnection(core)) {
    throw new TypeError(
      "contextPool takes a pool, as contextPool(mysql.createPool(url)), got a connection; use bind(ctx, connection)",
    );
  }
  const bound = new BoundPool(core, settings, () => {
    const frame = currentFrame();
    return { ctx: frame?.ctx, contextOf: contextOf(frame) };
  });
  return likeDriver(pool, core, bound.proxy);
}

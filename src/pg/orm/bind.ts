/** A driver-shaped object for one context: for ORMs and query builders that take a pool or a client. */
import { type Context } from "../../index.ts";
import { needContext } from "../../adapter/misuse.ts";
import { answerConnect, BoundPool } from "./bound-pool.ts";
import { overrideMethods } from "./override-methods.ts";
import { BoundClient } from "./bound-client.ts";
import { settingsOf } from "../../adapter/settings.ts";
import type { WithContextOptions } from "../settings.ts";
import type { Submittable } from "./submittable.ts";
import type { ClientLike, PoolLike } from "../types.ts";

/**
 * The same `pg.Pool` (or connected `pg.Client`), for one context: what is asked of it belongs to
 * `ctx`. Made to be handed to an ORM, once for each request; it costs a few objects, holds nothing,
 * and need not be closed.
 *
 *     const db = drizzle(bind(ctx, pool), { schema });
 *     const db = new Kysely<Tables>({ dialect: new PostgresDialect({ pool: bind(ctx, pool) }) });
 *
 * - `query`, in every form that pg has, stops on the server when `ctx` ends, and then rejects with
 *   `ctx.err()`. Any other failure is the driver's own error.
 * - `connect` ends its wait with `ctx`. The queries of the client that it gives belong to `ctx`.
 * - Transactions: once `ctx` is done, a client sends nothing but BEGIN and ROLLBACK (or ABORT, or
 *   ROLLBACK TO), which are not stopped, and bounded by the stop timeout. A COMMIT that has not been sent yet becomes a
 *   ROLLBACK and rejects with `ctx.err()`; one that has been sent is waited for. While `ctx` is live,
 *   a COMMIT that the server answers with ROLLBACK rejects with an error of code
 *   "ERR_NOTHING_COMMITTED".
 * - `release`, of a client that its `connect` gave, closes a connection whose user was stopped and left a transaction open.
 * - Cursors (pg-cursor, pg-query-stream): a read that is in flight is stopped; the next one rejects.
 *   Between reads the server is idle, and the connection stays with the cursor until it is closed.
 * - `end` does nothing: the pool or client is its owner's.
 * - Everything else (events, counts, options) is the pool's own, and so is `instanceof`.
 *
 * Throws a TypeError for what is neither; a client of `pg.native` or in pipeline mode is refused.
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
  if (typeof (driver as Partial<PoolLike> | null | undefined)?.totalCount !== "number") {
    return new BoundClient(driver, settings, { end }).share(() => ctx);
  }
  const pool = new BoundPool(driver, settings);
  const face: D = overrideMethods(driver, {
    end,
    connect: (callback?: unknown) =>
      answerConnect(
        pool.connect(ctx, () => ctx),
        callback,
      ),
    query: (...given: unknown[]) =>
      isPlain(given)
        ? pool.query(ctx, given)
        : // pg's own, which connects through the face.
          Reflect.apply(driver.query as (...args: unknown[]) => unknown, face, given),
  });
  return face;
}

/** SQL or a config object, and neither something to submit nor a mistake. */
export function isPlain([query]: readonly unknown[]): boolean {
  if (typeof query === "string") return true;
  return (
    typeof query === "object" &&
    query !== null &&
    typeof (query as Partial<Submittable>).submit !== "function"
  );
}

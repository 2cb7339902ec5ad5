/**
 * PostgreSQL through `pg` 8: queries whose work ends on the server with their context.
 *
 * @packageDocumentation
 */
import type { Context } from "../index.ts";
import { needContext, showCaller } from "../adapter/misuse.ts";
import { sessionMethods } from "../adapter/sessions.ts";
import { runStoppable } from "../adapter/stoppable.ts";
import { ClientQuery } from "./client-query.ts";
import type { ContextDatabase } from "./database.ts";
import type { Pool } from "./driver.ts";
import { needClient, needQuery } from "./misuse.ts";
import { PoolQuery } from "./pool-query.ts";
import type { Settings } from "../adapter/settings.ts";
import { sessionsOfClient, sessionsOfPool } from "./session.ts";
import { settingsOf } from "../adapter/settings.ts";
import type { WithContextOptions } from "./settings.ts";
import type { ClientLike, PoolLike, QueryArguments } from "./types.ts";

export { bind } from "./orm/bind.ts";
export { contextPool } from "./orm/context-pool.ts";
export { prismaExtension } from "./orm/prisma.ts";
export type { TransactionOptions } from "../adapter/postgresql/begin.ts";
export { NothingCommittedError } from "../adapter/transaction.ts";
export type {
  ContextDatabase,
  ContextQueries,
  ContextTransaction,
  ContextTransactional,
} from "./database.ts";
export type { ClientLike, PoolLike, QueryConfig, ResultOf, RowOf, StreamConfig } from "./types.ts";
export type { WithContextOptions } from "./settings.ts";

/**
 * The ctx-first face of a `pg.Pool`, or of a connected `pg.Client` or `pg.PoolClient`. It holds
 * nothing of its own and need not be closed; the pool or client stays its owner's.
 *
 *     const db = withContext(pool);
 *     const { rows } = await db.query<{ id: string }>(ctx, "select id from orders where day = $1", [day]);
 *
 * Throws a TypeError for anything else, `pg.native` and clients in pipeline mode included: those
 * cannot be canceled without hitting other queries.
 */
export function withContext<D extends PoolLike | ClientLike>(
  driver: D,
  options: WithContextOptions = {},
): ContextDatabase<D> {
  const settings = settingsOf(options);
  const make = isPool(driver)
    ? (ctx: Context, args: QueryArguments) => new PoolQuery(ctx, args, settings, driver)
    : onClient(driver, settings);
  const query = (ctx: Context, ...args: QueryArguments): Promise<unknown> => {
    try {
      needContext(ctx, "query(ctx, sql, values)");
      needQuery(args);
    } catch (error) {
      return new Promise(() => {
        throw error;
      });
    }
    return runStoppable(ctx, make(ctx, args), settings.stopTimeout).catch(showCaller);
  };
  const sessions = isPool(driver)
    ? sessionsOfPool(driver, settings)
    : sessionsOfClient(driver, settings);
  return { query, ...sessionMethods(sessions) } as unknown as ContextDatabase<D>;
}

function onClient(client: unknown, settings: Settings) {
  needClient(client, "withContext");
  return (ctx: Context, args: QueryArguments) => new ClientQuery(ctx, args, settings, client);
}

function isPool(driver: unknown): driver is Pool {
  return typeof (driver as Partial<PoolLike> | null | undefined)?.totalCount === "number";
}

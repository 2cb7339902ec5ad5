/**
 * PostgreSQL through `pg` 8. Queries take a context, and stop on the server when it ends.
 *
 * @packageDocumentation
 */
import type { ContextDatabase } from "./database.ts";
import type { Context } from "../index.ts";
import {
  handOver,
  needContext,
  reportDirectCalls,
  runStoppable,
  sessionMethods,
  type Settings,
  settingsOf,
  showCaller,
} from "../adapter/index.ts";
import { ClientQuery } from "./client-query.ts";
import { isPool } from "./driver.ts";
import { needClient, needQuery } from "./misuse.ts";
import { isContextPool } from "./orm/context-pool.ts";
import { runPoolQuery } from "./pool-query.ts";
import { sessionsOfClient, sessionsOfPool } from "./session.ts";
import type { WithContextOptions } from "./settings.ts";
import type { ClientLike, PoolLike, QueryArguments } from "./types.ts";

export { bind } from "./orm/bind.ts";
export { contextPool } from "./orm/context-pool.ts";
export { prismaExtension } from "./orm/prisma.ts";
export type { TransactionOptions } from "../adapter/postgresql/begin.ts";
export { NothingCommittedError, type ConnectionOptions } from "../adapter/index.ts";
export type {
  ContextDatabase,
  ContextQueries,
  ContextTransaction,
  ContextTransactional,
} from "./database.ts";
export type { ClientLike, PoolLike, QueryConfig, ResultOf, RowOf, StreamConfig } from "./types.ts";
export type { WithContextOptions } from "./settings.ts";

/**
 * Returns the methods of a `pg.Pool`, or of a connected `pg.Client` or `pg.PoolClient`, with a
 * context as their first parameter. Call it once for each pool or client.
 *
 * The result holds no resources and need not be closed. The pool or client still belongs to its
 * owner.
 *
 * Throws a TypeError for anything else, including `pg.native` and clients in pipeline mode: a cancel
 * request to one of those could hit another query.
 *
 * @example
 * const db = withContext(new pg.Pool());
 * const sql = "select id from orders where day = $1";
 * const { rows } = await db.query<{ id: string }>(ctx, sql, [day]);
 */
export function withContext<D extends PoolLike | ClientLike>(
  driver: D,
  options: WithContextOptions = {},
): ContextDatabase<D> {
  const settings = settingsOf(options);
  const run = isPool(driver)
    ? (ctx: Context, args: QueryArguments) => runPoolQuery(ctx, args, settings, driver)
    : clientQueries(driver, settings);
  const query = (ctx: Context, ...args: QueryArguments): Promise<unknown> => {
    try {
      needContext(ctx, "query(ctx, sql, values)");
      needQuery(args);
    } catch (error) {
      return new Promise(() => {
        throw error;
      });
    }
    return run(ctx, args);
  };
  const sessions = isPool(driver)
    ? sessionsOfPool(driver, settings)
    : sessionsOfClient(driver, settings);
  if (!isContextPool(driver)) reportDirectCalls(driver, "pg", ["query", "connect"]);
  return {
    query: handOver(query, "query"),
    ...sessionMethods(sessions),
  } as unknown as ContextDatabase<D>;
}

function clientQueries(client: unknown, settings: Settings) {
  needClient(client, "withContext");
  return (ctx: Context, args: QueryArguments): Promise<unknown> => {
    const query = new ClientQuery(ctx, args, settings, client);
    return runStoppable(ctx, query, settings.stopTimeout).catch(showCaller);
  };
}

/**
 * PostgreSQL through `postgres` 3.4 (postgres.js). When a context ends, its queries stop on the
 * server.
 *
 * If a connection is reset, queries that were sent with the driver alone can hang, and so can all
 * later queries in the same place of the pool (porsager/postgres #1133, #1208, #1215). Queries that
 * are sent with this adapter leave nothing behind that hangs, and their wait ends with their context.
 *
 * @packageDocumentation
 */
import type { ContextDatabase } from "./database.ts";
import type { Context } from "../index.ts";
import { handOver, needContext, sessionMethods, settingsOf } from "../adapter/index.ts";
import { needPool, needQuery } from "./misuse.ts";
import { queryOnce, sessionsOf } from "./session.ts";
import type { SqlLike, WithContextOptions } from "./types.ts";

export type { TransactionOptions } from "../adapter/postgresql/begin.ts";
export { NothingCommittedError, type ConnectionOptions } from "../adapter/index.ts";
export type {
  ContextDatabase,
  ContextQueries,
  ContextTransaction,
  ContextTransactional,
} from "./database.ts";
export type {
  PendingQuery,
  QueryDescription,
  SqlLike,
  StreamOptions,
  WithContextOptions,
} from "./types.ts";

/**
 * Returns a database whose methods take a context first and send the queries of `sql`. It holds no
 * resources and need not be closed. The caller still owns `sql`, closes it, and composes the queries
 * with it.
 *
 * Throws a TypeError if `sql` is not the one that `postgres()` returned, for example if it is the
 * `sql` of a transaction or a pool of another driver, and if an option has a wrong value.
 *
 * @example
 * const sql = postgres();
 * const db = withContext(sql);
 * const orders = await db.query(ctx, sql<Order[]>`select * from orders where day = ${day}`);
 */
export function withContext(sql: SqlLike, options: WithContextOptions = {}): ContextDatabase {
  const pool: unknown = sql;
  needPool(pool);
  const settings = settingsOf(options);
  const database = {
    query: handOver(async (ctx: Context, query: unknown): Promise<unknown> => {
      needContext(ctx, "query(ctx, sql`…`)");
      needQuery(query, pool, "query");
      return await queryOnce(ctx, pool, query, settings);
    }, "query"),
    ...sessionMethods(sessionsOf(pool, settings)),
  };
  return database as unknown as ContextDatabase;
}

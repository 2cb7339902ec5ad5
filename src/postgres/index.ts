/**
 * PostgreSQL through `postgres` 3.4 (postgres.js): queries whose work ends on the server with their
 * context.
 *
 * Where connections are reset, queries that are sent with the driver alone can hang, and so can all
 * that come after them in the same place of the pool (porsager/postgres #1133, #1208, #1215). Those
 * that are sent through here leave nothing behind that does, and their wait ends with their context.
 *
 * @packageDocumentation
 */
import type { Context } from "../index.ts";
import { needContext } from "../adapter/misuse.ts";
import { sessionMethods } from "../adapter/sessions.ts";
import { settingsOf, type StopOptions } from "../adapter/settings.ts";
import type { ContextDatabase } from "./database.ts";
import { needPool, needQuery } from "./misuse.ts";
import { queryOnce, sessionsOf } from "./session.ts";
import type { SqlLike } from "./types.ts";

export type { TransactionOptions } from "../adapter/postgresql/begin.ts";
export { NothingCommittedError } from "../adapter/transaction.ts";
export type {
  ContextDatabase,
  ContextQueries,
  ContextTransaction,
  ContextTransactional,
} from "./database.ts";
export type { Described, PendingQuery, SqlLike, StreamOptions } from "./types.ts";

export interface WithContextOptions extends StopOptions {
  /**
   * What becomes of the connection after a query was canceled. "reuse", the default, gives it
   * back healthy. "destroy" closes it: for a connection pooler that closes the connection of a
   * cancel request before it has passed the request on. (PgBouncer does not.)
   */
  onCancel?: "reuse" | "destroy";
  /**
   * How long the server may take to stop a query, in milliseconds, 2000 by default. After that the
   * connection is destroyed, the caller gets `ctx.err()`, and the receipt says "abandoned".
   */
  stopTimeout?: number;
  /**
   * Whether the server is told of deadlines, true by default: the statements of `transaction`,
   * whose context has one, get a `statement_timeout` of what remains plus the stop timeout, for the case
   * that this process or its network is gone by then. It is sent along with BEGIN, and ends with the
   * transaction. Single queries get none: the driver has no way to send one along.
   */
  serverTimeout?: boolean;
}

/**
 * The ctx-first face of the `sql` that `postgres()` has returned. It holds nothing of its own and
 * need not be closed; `sql` stays its owner's, and composes the queries:
 *
 *     const db = withContext(sql);
 *     const orders = await db.query(ctx, sql<Order[]>`select * from orders where day = ${day}`);
 *
 * Throws a TypeError for anything else, the `sql` of a transaction included.
 */
export function withContext(sql: SqlLike, options: WithContextOptions = {}): ContextDatabase {
  const pool: unknown = sql;
  needPool(pool);
  const settings = settingsOf(options);
  const database = {
    async query(ctx: Context, query: unknown): Promise<unknown> {
      needContext(ctx, "query(ctx, sql`…`)");
      needQuery(query, pool, "query");
      return await queryOnce(ctx, pool, query, settings);
    },
    ...sessionMethods(sessionsOf(pool, settings)),
  };
  return database as unknown as ContextDatabase;
}

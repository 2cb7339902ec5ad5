/**
 * PostgreSQL through `pg` 8: queries whose work ends on the server with their context.
 *
 * @packageDocumentation
 */
import { isContextError, type Context } from "../index.ts";
import { GRACE, runStoppable } from "../adapter/stoppable.ts";
import { ClientQuery } from "./client-query.ts";
import { queryClassOf, type Client, type Pool } from "./driver.ts";
import { PoolQuery } from "./pool-query.ts";
import type {
  ClientLike,
  PoolLike,
  QueryArguments,
  QueryConfig,
  ResultOf,
  RowOf,
} from "./types.ts";

export type { ClientLike, PoolLike, QueryConfig, ResultOf, RowOf } from "./types.ts";

export interface Options {
  /**
   * What becomes of the connection after a query was cancelled. "reuse", the default, gives it
   * back healthy. "destroy" closes it: for a connection pooler that closes the connection of a
   * cancel request before it has passed the request on. (PgBouncer does not.)
   */
  onCancel?: "reuse" | "destroy";
  /**
   * How long the server may take to stop a query, in milliseconds, 2000 by default. After that the
   * connection is destroyed, the caller gets `ctx.err()`, and the receipt says "lost".
   */
  grace?: number;
}

/** Queries that take a context first. Made by `withContext`. */
export interface Database<D extends PoolLike | ClientLike> {
  /**
   * As the driver's own `query`, with a context. When `ctx` ends, the server is told to stop, and
   * the promise settles when it has: with `ctx.err()`, or with the result if that came first. Any
   * other failure is the driver's error, untouched; so is a cancellation that was not ours, such
   * as that of `statement_timeout`. If `ctx` is done already, no connection is taken.
   *
   * From a Pool: waits its turn for a connection, leaves the queue at once when `ctx` ends, and
   * gives the connection back afterwards. It is reused after an error, unless it was left inside a
   * transaction.
   *
   * On a Client: never hits the queries before and after it. The connection stays the caller's,
   * who also owns what a cancellation means to a transaction: it is aborted, and needs a ROLLBACK.
   * Only a server that does not answer for the time of grace costs the caller this connection.
   *
   * Callbacks and submittables (`pg.Query`, cursors) are refused with a TypeError.
   */
  query<Row extends unknown[] = unknown[]>(
    ctx: Context,
    config: QueryConfig & { rowMode: "array" },
    values?: readonly unknown[],
  ): Promise<ResultOf<D, Row>>;
  query<Row = RowOf<D>>(
    ctx: Context,
    textOrConfig: string | QueryConfig,
    values?: readonly unknown[],
  ): Promise<ResultOf<D, Row>>;
}

/**
 * The ctx-first face of a `pg.Pool`, or of a connected `pg.Client` or `pg.PoolClient`. It holds
 * nothing of its own and need not be closed; the pool or client stays its owner's.
 *
 *     const db = withContext(pool);
 *     const { rows } = await db.query<{ id: string }>(ctx, "select id from orders where day = $1", [day]);
 *
 * Throws a TypeError for anything else, `pg.native` and clients in pipeline mode included: those
 * cannot be cancelled without hitting other queries.
 */
export function withContext<D extends PoolLike | ClientLike>(
  driver: D,
  options: Options = {},
): Database<D> {
  const { onCancel = "reuse", grace = GRACE } = options;
  if (onCancel !== "reuse" && onCancel !== "destroy") {
    throw new TypeError(`onCancel is "reuse" or "destroy", got ${String(onCancel)}`);
  }
  const destroy = onCancel === "destroy";
  const make = isPool(driver)
    ? (ctx: Context, args: QueryArguments) => new PoolQuery(ctx, args, driver, destroy)
    : onClient(driver, destroy);
  const query = (ctx: Context, ...args: QueryArguments): Promise<unknown> => {
    const misuse = misuseOf(ctx, args);
    if (misuse !== undefined) return Promise.reject(new TypeError(misuse));
    return runStoppable(ctx, make(ctx, args), grace).catch(showCaller);
  };
  return { query } as unknown as Database<D>;
}

function onClient(client: unknown, destroyOnCancel: boolean) {
  checkClient(client);
  return (ctx: Context, args: QueryArguments) =>
    new ClientQuery(ctx, args, client, destroyOnCancel);
}

/** As pg does: a stack that leads to the caller, and not to the socket. */
function showCaller(error: unknown): never {
  if (error instanceof Error && !isContextError(error)) Error.captureStackTrace(error);
  throw error;
}

function isPool(driver: unknown): driver is Pool {
  return typeof (driver as Partial<PoolLike> | null | undefined)?.totalCount === "number";
}

function checkClient(driver: unknown): asserts driver is Client {
  const client = driver as Client | null | undefined;
  if (typeof client?.connection?.stream !== "object" || queryClassOf(client) === undefined) {
    throw new TypeError("withContext takes a Pool or a Client of pg (not of pg.native)");
  }
  if (client.pipeline === true) {
    throw new TypeError(
      "withContext cannot take a Client in pipeline mode: a cancel request may hit any query in the pipeline; make the Client without `pipeline`",
    );
  }
}

/** What is wrong with the arguments of `query`, and what to write instead. */
function misuseOf(ctx: unknown, [query, values]: readonly unknown[]): string | undefined {
  if (typeof (ctx as Partial<Context> | null | undefined)?.err !== "function") {
    const got = typeof ctx === "string" ? "SQL" : String(ctx);
    return `query needs a Context as its first argument, got ${got}; write query(ctx, sql, values) with the caller's ctx, or background() at the top of a program`;
  }
  const { submit } = Object(query) as { submit?: unknown };
  if (typeof submit === "function") {
    return "query(ctx, …) takes SQL or a config object, not a Query or a cursor, whose end it cannot know";
  }
  if (typeof query !== "string" && (typeof query !== "object" || query === null)) {
    return `query(ctx, …) takes SQL or a config object, got ${String(query)}`;
  }
  if (typeof values === "function") {
    return "query(ctx, …) returns a promise; leave the callback out";
  }
  return undefined;
}

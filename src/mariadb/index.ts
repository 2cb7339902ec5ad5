/**
 * MariaDB and MySQL through `mariadb` 3: statements whose work ends on the server with their
 * context.
 *
 * @packageDocumentation
 */
import type { Context } from "../index.ts";
import {
  MYSQL_STOP_TIMEOUT,
  type ContextDatabase as DatabaseOf,
  type WithContextOptions,
} from "../adapter/mysql/database.ts";
import { settingsOf } from "../adapter/settings.ts";
import type { MysqlDriver } from "../adapter/mysql/driver.ts";
import { connectionMethods, poolMethods } from "../adapter/mysql/context-methods.ts";
import { wrap, type DriverConnection, type DriverPool } from "./driver.ts";
import type { DriverLike, SqlOf, UpsertResult } from "./types.ts";

export type {
  WithContextOptions,
  ContextTransaction,
  TransactionOptions,
  ContextTransactional,
} from "../adapter/mysql/database.ts";
export { NothingCommittedError } from "../adapter/transaction.ts";
export type { DriverLike, SqlOf, UpsertResult } from "./types.ts";

/* eslint-disable @typescript-eslint/no-explicit-any -- what the driver says, if nobody says more */

/** The driver's own statements, with a context. */
export interface ContextQueries<D extends DriverLike> {
  /**
   * As the driver's own `query`, with a context. When `ctx` ends, the server is told to stop (KILL
   * QUERY), and the promise settles when it has: with `ctx.err()`, or with the result if that came
   * first. (MySQL lets a SLEEP that was killed succeed, with 1.) Any other failure is the driver's
   * error, untouched; so is an interruption that was not ours, such as that of the option
   * `timeout`. If `ctx` is done already, no connection is taken.
   *
   * From a pool: waits its turn for a connection, leaves the queue at once when `ctx` ends, and
   * gives the connection back afterwards, which rolls back what it was left in.
   *
   * On a connection: all that goes through this object takes turns. Keep the connection's own
   * methods out of the way of what may be canceled: a KILL QUERY ends whatever runs there. What
   * it means to a transaction is the caller's business: the transaction stays open.
   */
  query<T = any>(ctx: Context, sqlOrOptions: SqlOf<D["query"]>, values?: unknown): Promise<T>;

  /** As the driver's own `execute`, which prepares its statements; otherwise as `query` here. */
  execute<T = any>(ctx: Context, sqlOrOptions: SqlOf<D["execute"]>, values?: unknown): Promise<T>;

  /**
   * As the driver's own `batch`; otherwise as `query` here. Where the server takes the batch as a
   * whole, it is stopped as a whole; where the driver sends one statement after the other, those
   * that came before the stop are done, unless there is a transaction around them.
   */
  batch<T = UpsertResult | UpsertResult[]>(
    ctx: Context,
    sqlOrOptions: SqlOf<D["batch"]>,
    values?: unknown,
  ): Promise<T>;

  /**
   * Reads the rows of a query as they come, without ever holding all of them:
   *
   *     for await (const order of db.stream<Order>(ctx, "select * from orders")) …
   *
   * The query is sent when the loop asks for the first row. It is over, on the server too, when the
   * loop is left, in whichever way, and when `ctx` ends: then the loop throws `ctx.err()`. Until
   * then it has its connection to itself. A loop that is neither finished nor left, and whose
   * context never ends, keeps it.
   */
  stream<Row = any>(
    ctx: Context,
    sqlOrOptions: SqlOf<D["query"]>,
    values?: unknown,
  ): AsyncGenerator<Row, void, undefined>;
}

/* eslint-enable @typescript-eslint/no-explicit-any */

/** Statements that take a context first. Made by `withContext`. */
export type ContextDatabase<D extends DriverLike> = DatabaseOf<ContextQueries<D>>;

/**
 * The ctx-first face of a pool or of a connection of `mariadb` (with promises).
 *
 *     const db = withContext(pool);
 *     const rows = await db.query<Order[]>(ctx, "select id from orders where day = ?", [day]);
 *
 * The pool or connection stays its owner's. To stop statements it opens a connection of its own
 * beside it when it needs one: to the same server, with the same account and TLS, for KILL QUERY
 * alone. That one belongs to this library, closes when it was not needed for ten seconds, keeps no
 * process alive, and is not waited for by `pool.end()`. Where there is no place left for it on the
 * server (`max_connections`), a statement cannot be stopped, and its connection is destroyed.
 *
 * Not for connections through a balancer that spreads them over several servers (unless it knows
 * KILL, as MaxScale and ProxySQL do): the KILL could reach another server than the statement.
 *
 * Throws a TypeError for anything else, pool clusters included. `mariadb/callback` is refused too.
 */
export function withContext<D extends DriverLike>(
  driver: D,
  options: WithContextOptions = {},
): ContextDatabase<D> {
  const settings = settingsOf(options, MYSQL_STOP_TIMEOUT);
  const face = isConnection(driver)
    ? connectionMethods(mariadb, driver, driver.info, settings)
    : poolMethods(mariadb, poolOf(driver), driver, settings);
  return face as ContextDatabase<D>;
}

const mariadb: MysqlDriver<DriverConnection> = {
  name: "mariadb",
  methods: ["query", "execute", "batch"],
  wrap,
};

const NOT_OURS = "withContext takes a pool or a connection of mariadb, with promises";

function isConnection(driver: unknown): driver is DriverConnection & object {
  const { info, queryStream } = Object(driver) as Record<string, unknown>;
  return typeof info === "object" && info !== null && typeof queryStream === "function";
}

function poolOf(driver: unknown) {
  const pool = driver as DriverPool;
  if (typeof (Object(pool) as { taskQueueSize?: unknown }).taskQueueSize !== "function")
    throw new TypeError(NOT_OURS);
  return {
    take() {
      try {
        return pool.getConnection();
      } catch {
        throw new TypeError(NOT_OURS); // it wants a callback
      }
    },
    giveBack(connection: DriverConnection) {
      connection.release?.().catch(ignore); // then the pool has destroyed it
    },
  };
}

function ignore(): void {
  // see above
}

/**
 * MySQL and MariaDB through `mysql2` 3: statements whose work ends on the server with their context.
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
import { isCoreConnection, wrap, type CoreConnection, type CorePool } from "./driver.ts";
import type { AnswerOf, DriverLike, OptionsOf, ResultOf, ValuesOf } from "./types.ts";

export type {
  WithContextOptions,
  ContextTransaction,
  TransactionOptions,
  ContextTransactional,
} from "../adapter/mysql/database.ts";
export { NothingCommittedError } from "../adapter/transaction.ts";
export type { AnswerOf, DriverLike, OptionsOf, ResultOf, ValuesOf } from "./types.ts";

/** The driver's own statements, with a context. */
export interface ContextQueries<D extends DriverLike> {
  /**
   * As the driver's own `query`, with a context and always with a promise. When `ctx` ends, the
   * server is told to stop (KILL QUERY), and the promise settles when it has: with `ctx.err()`, or
   * with the result if that came first. (MySQL lets a SLEEP that was killed succeed, with 1.) Any
   * other failure is the driver's error, untouched; so is an interruption that was not ours, such
   * as that of `max_statement_time`. If `ctx` is done already, no connection is taken. A statement
   * that the driver gives up because of its option `timeout` is stopped as well.
   *
   * From a pool: waits its turn for a connection, leaves the queue at once when `ctx` ends, and
   * gives the connection back afterwards, rolled back if it was left inside a transaction.
   *
   * On a connection: all that goes through this object takes turns. Keep the connection's own
   * methods out of the way of what may be canceled: a KILL QUERY ends whatever runs there. What
   * it means to a transaction is the caller's business: the transaction stays open.
   */
  query<T extends ResultOf<D["query"]> = ResultOf<D["query"]>>(
    ctx: Context,
    sqlOrOptions: string | OptionsOf<D["query"]>,
    values?: ValuesOf<D["query"]>,
  ): Promise<AnswerOf<D["query"], T>>;

  /** As the driver's own `execute`, which prepares its statements; otherwise as `query` here. */
  execute<T extends ResultOf<D["execute"]> = ResultOf<D["execute"]>>(
    ctx: Context,
    sqlOrOptions: string | OptionsOf<D["execute"]>,
    values?: ValuesOf<D["execute"]>,
  ): Promise<AnswerOf<D["execute"], T>>;

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
  stream<Row = Record<string, unknown>>(
    ctx: Context,
    sqlOrOptions: string | OptionsOf<D["query"]>,
    values?: ValuesOf<D["query"]>,
  ): AsyncGenerator<Row, void, undefined>;
}

/** Statements that take a context first. Made by `withContext`. */
export type ContextDatabase<D extends DriverLike> = DatabaseOf<ContextQueries<D>>;

/**
 * The ctx-first face of a pool or of a connected connection, of `mysql2/promise` or of `mysql2`.
 *
 *     const db = withContext(pool);
 *     const [rows] = await db.query<OrderRow[]>(ctx, "select id from orders where day = ?", [day]);
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
 * Throws a TypeError for anything else, pool clusters included.
 */
export function withContext<D extends DriverLike>(
  driver: D,
  options: WithContextOptions = {},
): ContextDatabase<D> {
  const settings = settingsOf(options, MYSQL_STOP_TIMEOUT);
  const core = coreOf(driver);
  const face = isCoreConnection(core)
    ? connectionMethods(mysql2, core, core, settings)
    : poolMethods(mysql2, poolOf(core), core, settings);
  return face as ContextDatabase<D>;
}

const mysql2: MysqlDriver<CoreConnection> = { name: "mysql2", methods: ["query", "execute"], wrap };

/** Beneath the promises. */
function coreOf(driver: unknown): CoreConnection | CorePool {
  const { pool, connection } = Object(driver) as { pool?: unknown; connection?: unknown };
  for (const core of [pool, connection, driver]) {
    if (isCoreConnection(core) || isCorePool(core)) return core;
  }
  throw new TypeError("withContext takes a pool or a connected connection of mysql2");
}

function isCorePool(value: unknown): value is CorePool {
  const { getConnection, _allConnections } = Object(value) as Record<string, unknown>;
  return typeof getConnection === "function" && _allConnections !== undefined;
}

function poolOf(pool: CorePool) {
  return {
    take: () =>
      new Promise<CoreConnection>((resolve, reject) => {
        pool.getConnection((error, connection) => {
          if (connection === undefined) reject(error);
          else {
            // A pool listens only once, and without a listener the error of a broken connection
            // ends the process. The statement's own failure says it all.
            connection.on("error", ignore);
            resolve(connection);
          }
        });
      }),
    giveBack(connection: CoreConnection) {
      connection.removeListener("error", ignore);
      connection.release?.();
    },
  };
}

function ignore(): void {
  // see above
}

/**
 * MySQL and MariaDB through `mysql2` 3: statements that end on the server with their context.
 *
 * @packageDocumentation
 */
import type { ContextDatabase, DriverLike } from "./types.ts";
import { connectionMethods, poolMethods } from "../adapter/mysql/context-methods.ts";
import { reportDirectCalls } from "../adapter/index.ts";
import type { MysqlDriver } from "../adapter/mysql/driver.ts";
import { mysqlSettings, type WithContextOptions } from "../adapter/mysql/options.ts";
import { isCoreConnection, wrap, type CoreConnection } from "./driver.ts";
import { coreOf, poolOf } from "./pool.ts";

export { bind } from "./orm/bind.ts";
export { contextPool } from "./orm/context-pool.ts";
export type { WithContextOptions } from "../adapter/mysql/options.ts";
export type {
  ContextTransaction,
  ContextTransactional,
  TransactionOptions,
} from "../adapter/mysql/types.ts";
export { NothingCommittedError, type ConnectionOptions } from "../adapter/index.ts";
export type {
  AnswerOf,
  ContextDatabase,
  ContextQueries,
  DriverLike,
  OptionsOf,
  ResultOf,
  ValuesOf,
} from "./types.ts";

const mysql2: MysqlDriver<CoreConnection> = { name: "mysql2", methods: ["query", "execute"], wrap };

/**
 * Wraps a pool or a connected connection, of `mysql2/promise` or of `mysql2`, so that every method
 * takes a context first.
 *
 * The caller keeps the pool or connection and closes it. To stop statements, the adapter opens one
 * more connection when it first needs it: to the same server, with the same account and TLS, for
 * KILL QUERY alone. The adapter closes it after ten seconds without use. It does not keep the process
 * alive, and `pool.end()` does not wait for it. If the server has no place for it
 * (`max_connections`), a statement cannot be stopped, and its connection is destroyed instead.
 *
 * A KILL reaches the connection's own thread on its own server, or nothing. Before the first statement
 * that can be stopped, the adapter asks the server which thread the connection is: one round trip for
 * each connection to the server. It sends the KILL together with a comparison. After a failover or a
 * restart, nothing is killed. The adapter tries again over new connections, up to eight times or until
 * the stop timeout, and so may reach the right server behind a balancer. Then the connection is
 * destroyed, and the receipt says "abandoned".
 *
 * No KILL is sent, and the connection is destroyed at once, if the server does not say which thread it
 * is, or if a proxy numbers the connections itself, as ProxySQL and MaxScale do.
 *
 * Throws a TypeError for anything else, including pool clusters, and for a wrong option.
 *
 * @example
 * const db = withContext(mysql.createPool(url));
 * const [rows] = await db.query<OrderRow[]>(ctx, "select id from orders where day = ?", [day]);
 */
export function withContext<D extends DriverLike>(
  driver: D,
  options: WithContextOptions = {},
): ContextDatabase<D> {
  const settings = mysqlSettings(options);
  const core = coreOf(driver);
  // The driver itself publishes the calls of connections (see src/current/development.ts).
  if (!isCoreConnection(core)) {
    reportDirectCalls(driver, "mysql2", ["query", "execute", "getConnection"]);
  }
  const methods = isCoreConnection(core)
    ? connectionMethods(mysql2, core, core, settings)
    : poolMethods(mysql2, poolOf(core), core, settings);
  return methods as ContextDatabase<D>;
}

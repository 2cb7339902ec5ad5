/**
 * MariaDB and MySQL through `mariadb` 3: statements that end on the server with their context.
 *
 * @packageDocumentation
 */
import type { ContextDatabase, DriverLike } from "./types.ts";
import { connectionMethods, poolMethods } from "../adapter/mysql/context-methods.ts";
import { reportDirectCalls } from "../adapter/index.ts";
import type { MysqlDriver } from "../adapter/mysql/driver.ts";
import { mysqlSettings, type WithContextOptions } from "../adapter/mysql/options.ts";
import { wrap, type DriverConnection } from "./driver.ts";
import { isConnection, poolOf } from "./pool.ts";

export type { WithContextOptions } from "../adapter/mysql/options.ts";
export type {
  ContextTransaction,
  ContextTransactional,
  TransactionOptions,
} from "../adapter/mysql/types.ts";
export { NothingCommittedError, type ConnectionOptions } from "../adapter/index.ts";
export type { ContextDatabase, ContextQueries, DriverLike, SqlOf, UpsertResult } from "./types.ts";

const mariadb: MysqlDriver<DriverConnection> = {
  name: "mariadb",
  methods: ["query", "execute", "batch"],
  wrap,
};

/**
 * Wraps a pool or a connection of `mariadb` (with promises), so that every method takes a context
 * first.
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
 * Throws a TypeError for anything else, including pool clusters, and for a wrong option. With a pool
 * of `mariadb/callback`, each call rejects with a TypeError.
 *
 * @example
 * const db = withContext(mariadb.createPool(url));
 * const rows = await db.query<Order[]>(ctx, "select id from orders where day = ?", [day]);
 */
export function withContext<D extends DriverLike>(
  driver: D,
  options: WithContextOptions = {},
): ContextDatabase<D> {
  const settings = mysqlSettings(options);
  const methods = isConnection(driver)
    ? connectionMethods(mariadb, driver, driver.info, settings)
    : poolMethods(mariadb, poolOf(driver), driver, settings);
  reportDirectCalls(driver, "mariadb", ["query", "execute", "batch", "getConnection"]);
  return methods as ContextDatabase<D>;
}

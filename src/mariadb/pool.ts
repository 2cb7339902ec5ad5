/** Tells the pools and connections of mariadb apart, and takes connections from a pool. */
import type { MysqlPool } from "../adapter/mysql/driver.ts";
import { wrongDriver } from "../adapter/wrong-driver.ts";
import type { DriverConnection, DriverPool } from "./driver.ts";

const TAKES = "a pool or a connection of mariadb, with promises";

export function isConnection(driver: unknown): driver is DriverConnection & object {
  const { info, queryStream } = Object(driver) as Record<string, unknown>;
  return typeof info === "object" && info !== null && typeof queryStream === "function";
}

/** Throws a TypeError for anything but a pool of mariadb. */
export function poolOf(driver: unknown): MysqlPool<DriverConnection> {
  const pool = driver as DriverPool;
  const { taskQueueSize } = Object(pool) as { taskQueueSize?: unknown };
  if (typeof taskQueueSize !== "function") throw wrongDriver("mariadb", TAKES, driver);
  return {
    take() {
      try {
        return pool.getConnection();
      } catch {
        // Only a pool of mariadb/callback throws, because it needs a callback.
        throw new TypeError(
          `withContext of eightysix/mariadb takes ${TAKES}, got a pool of mariadb/callback; create the pool with the package mariadb itself`,
        );
      }
    },
    giveBack(connection) {
      connection.release?.().catch(ignore); // if it rejects, the pool has destroyed the connection
    },
  };
}

function ignore(): void {
  // see above
}

/** Finds the pool or connection with callbacks beneath what the user passes. */
import type { MysqlPool } from "../adapter/mysql/driver.ts";
import { wrongDriver } from "../adapter/wrong-driver.ts";
import { isCoreConnection, isCorePool, type CoreConnection, type CorePool } from "./driver.ts";

/**
 * Throws a TypeError for anything but a pool or a connection of mysql2. `caller` is the function that
 * the message names.
 */
export function coreOf(driver: unknown, caller = "withContext"): CoreConnection | CorePool {
  const { pool, connection } = Object(driver) as { pool?: unknown; connection?: unknown };
  for (const core of [pool, connection, driver]) {
    if (isCoreConnection(core) || isCorePool(core)) return core;
  }
  throw wrongDriver("mysql2", "a pool or a connected connection of mysql2", driver, caller);
}

export function poolOf(pool: CorePool): MysqlPool<CoreConnection> {
  return {
    take: () =>
      new Promise((resolve, reject) => {
        pool.getConnection((error, connection) => {
          if (connection === undefined) {
            reject(error);
            return;
          }
          // The pool listens for only one error. Without a listener, a second error of a broken
          // connection would end the process. The statement's own error reports the failure.
          connection.on("error", ignore);
          resolve(connection);
        });
      }),
    giveBack(connection) {
      connection.removeListener("error", ignore);
      connection.release?.();
    },
  };
}

function ignore(): void {
  // reported elsewhere
}

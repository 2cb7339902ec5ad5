/**
 * The servers of one run. The run starts its own PostgreSQL, and finds the others as the tests do.
 */
import { startPostgres } from "../../servers/postgres.ts";
import { mariadb } from "../../test/support/services/mariadb.ts";
import { mysql } from "../../test/support/services/mysql.ts";
import { redis } from "../../test/support/services/redis.ts";
import { lease, type Lease } from "../../test/support/services/service.ts";
import type { Servers } from "./driver.ts";

export interface RunServers extends Servers {
  /** Stops the servers that were started. */
  readonly end: () => Promise<void>;
}

export function serversOfRun(): RunServers {
  const started: Promise<Lease>[] = [];
  const once = (start: () => Promise<Lease>) => {
    let url: Promise<string> | undefined;
    return () => {
      if (url === undefined) {
        const starting = start();
        started.push(starting);
        url = starting.then((server) => server.url);
      }
      return url;
    };
  };
  return {
    postgres: once(async () => {
      const server = await startPostgres();
      return { url: server.url, end: () => server.stop() };
    }),
    mariadb: once(() => lease(mariadb)),
    mysql: once(() => lease(mysql)),
    redis: once(() => lease(redis)),
    async end() {
      for (const starting of started)
        await starting.then((lease) => lease.end()).catch(() => undefined);
    },
  };
}

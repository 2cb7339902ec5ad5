/** What tests ask a real PostgreSQL: the server's own word on what it is still running. */
import pg from "pg";
import { inject, onTestFinished } from "vitest";

export { mark, until } from "./wait.ts";

/** The connection string of the run's server, or of it by way of another address. */
export function postgresUrl(by?: { host: string; port: number }): string {
  const url = inject("postgresUrl");
  if (by === undefined) return url;
  const other = new URL(url);
  other.host = `${by.host}:${by.port}`;
  return other.href;
}

/** A pool that ends with the test. An error of an idle connection is expected: tests break them. */
export function testPool(config: pg.PoolConfig = {}): pg.Pool {
  const pool = new pg.Pool({ connectionString: postgresUrl(), ...config });
  pool.on("error", () => undefined);
  onTestFinished(() => pool.end());
  return pool;
}

/** A connected client that ends with the test. */
export async function testClient(config: pg.ClientConfig = {}): Promise<pg.Client> {
  const client = new pg.Client({ connectionString: postgresUrl(), ...config });
  client.on("error", () => undefined);
  await client.connect();
  onTestFinished(() => client.end());
  return client;
}

export interface Observer {
  /** How many backends are active on SQL that contains this text. */
  running(text: string): Promise<number>;
  /** The pids of the backends of this application_name. */
  backends(applicationName: string): Promise<number[]>;
  query: pg.Client["query"];
}

/** Looks on from a connection of its own. */
export async function observer(config: pg.ClientConfig = {}): Promise<Observer> {
  const client = await testClient(config);
  return {
    query: client.query.bind(client),
    async running(text) {
      const { rows } = await client.query<{ n: number }>(
        `select count(*)::int as n from pg_stat_activity
         where pid <> pg_backend_pid() and state = 'active' and position($1 in query) > 0`,
        [text],
      );
      return rows[0]?.n ?? 0;
    },
    async backends(applicationName) {
      const { rows } = await client.query<{ pid: number }>(
        "select pid from pg_stat_activity where application_name = $1 order by pid",
        [applicationName],
      );
      return rows.map((row) => row.pid);
    },
  };
}

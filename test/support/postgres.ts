/** Pools and clients for tests, and an observer that asks the server what it is still running. */
import pg from "pg";
import { onTestFinished } from "vitest";
import { answers } from "../../src/adapter/postgresql/second-signal.ts";
import { hasServer, serverUrl } from "./server.ts";

export { mark, until } from "./wait.ts";

/** Returns the connection string of the run's server, or of the same server at another address. */
export function postgresUrl(at?: { host: string; port: number }): string {
  const url = serverUrl("postgres");
  if (at === undefined) return url;
  const other = new URL(url);
  other.host = `${at.host}:${at.port}`;
  return other.href;
}

/** Creates a pool that ends with the test. Tests break idle connections, so it ignores their errors. */
export function testPool(config: pg.PoolConfig = {}): pg.Pool {
  const pool = new pg.Pool({ connectionString: postgresUrl(), ...config });
  pool.on("error", () => undefined);
  onTestFinished(() => pool.end());
  return pool;
}

/** Creates a connected client that ends with the test. */
export async function testClient(config: pg.ClientConfig = {}): Promise<pg.Client> {
  const client = new pg.Client({ connectionString: postgresUrl(), ...config });
  client.on("error", () => undefined);
  await client.connect();
  onTestFinished(() => client.end());
  return client;
}

/**
 * Tells the adapters that nothing between this address and the server loses track of a cancel request.
 * On a busy machine the adapters would ask the server, and a transaction that has failed cannot answer.
 */
export function trustAddress({ host, port }: { host: string; port: number }): void {
  answers.set(JSON.stringify({ host, port }), true);
}

if (hasServer("postgres")) {
  const { hostname: host, port } = new URL(postgresUrl());
  trustAddress({ host, port: Number(port || 5432) });
}

export interface Observer {
  /** Resolves with the number of backends that run SQL with this text. */
  running(text: string): Promise<number>;
  /** Resolves with the pids of the backends that have this application_name. */
  backends(applicationName: string): Promise<number[]>;
  query: pg.Client["query"];
}

/** Creates an observer, which has a connection of its own. */
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

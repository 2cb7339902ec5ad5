/** The three databases of the demo, filled, and what each was seen doing. */
import { join } from "node:path";
import type { DuckDBConnection } from "@duckdb/node-api";
import pg from "pg";
import { startPostgres } from "../servers/postgres.ts";
import { temporaryDirectory } from "../servers/temporary-directory.ts";
import { prepareData, type Data } from "./data.ts";
import { Spans } from "./observe.ts";
import { watchDuckdb } from "./observe-duckdb.ts";
import { watchLibsql } from "./observe-libsql.ts";
import { watchPostgres } from "./observe-postgres.ts";
import { postgresSettings } from "./postgres-data.ts";

export interface Databases {
  readonly data: Data;
  /** Shared by both endpoints, with the driver's default size. */
  readonly pool: pg.Pool;
  /** The request that uses each DuckDB connection. The endpoints write it, the watch reads it. */
  readonly duckdbConnections: Map<DuckDBConnection, number>;
  /** When each engine was busy. */
  readonly spans: Spans;
  /** Stops everything. The embedded engines must be idle. */
  close(): Promise<void>;
}

/** Starts and fills the databases. `target` is the CPU time of one report that runs alone, in ms. */
export async function openDatabases(
  target: number,
  seed: number,
  progress: (message: string) => void,
): Promise<Databases> {
  const opened = new AsyncDisposableStackLike();
  try {
    progress("starting PostgreSQL");
    const directory = opened.add(await temporaryDirectory(), (d) => d.remove());
    const pools: pg.Pool[] = [];
    const server = await startPostgres({ settings: postgresSettings });
    // The server stops first: a pool waits for its queries, and abandoned ones run for long.
    opened.add(pools, () => Promise.all(pools.map((p) => p.end())));
    opened.add(server, (s) => s.stop());
    const path = join(directory.path, "ratings.db");
    const data = await prepareData({ url: server.url, path, seed, target, progress });
    opened.add(data.duckdb.instance, (instance) => {
      instance.closeSync();
    });
    const pool = new pg.Pool({ connectionString: server.url });
    pools.push(pool);
    pool.on("error", () => undefined); // an idle connection, when the server stops
    const spans = new Spans();
    const duckdbConnections = new Map<DuckDBConnection, number>();
    for (const stop of [
      await watchPostgres(server.url, spans),
      watchDuckdb(duckdbConnections, spans),
      watchLibsql(spans),
    ]) {
      opened.add(stop, (s) => s());
    }
    return { data, pool, duckdbConnections, spans, close: () => opened.close() };
  } catch (error) {
    await opened.close();
    throw error;
  }
}

/** Node 20 and 22 have no AsyncDisposableStack. */
class AsyncDisposableStackLike {
  readonly #closers: (() => unknown)[] = [];

  add<T>(resource: T, close: (resource: T) => unknown): T {
    this.#closers.push(() => close(resource));
    return resource;
  }

  async close(): Promise<void> {
    for (let close = this.#closers.pop(); close !== undefined; close = this.#closers.pop())
      await close();
  }
}

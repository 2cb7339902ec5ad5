import type { DuckDBInstance } from "@duckdb/node-api";
import Database from "libsql/promise";
import pg from "pg";
import { calibrate } from "./calibrate.ts";
import { connectDuckdb, duckdbReport, openDuckdb, visitors } from "./duckdb-data.ts";
import { fillLibsql, libsqlReport, ratedProducts } from "./libsql-data.ts";
import { customers, fillPostgres, postgresReport } from "./postgres-data.ts";

/** The driver's own types say `any`. */
export interface LibsqlStatement {
  all(...values: unknown[]): Promise<unknown[]>;
}

/** A report query and its one parameter, the span at which it takes about the wanted time here. */
export interface Report {
  readonly sql: string;
  readonly span: number;
}

/** Three filled databases, each with its report. */
export interface Data {
  readonly postgres: Report & { readonly url: string };
  /** A database in memory. The caller closes it. */
  readonly duckdb: Report & { readonly instance: DuckDBInstance };
  /** A file. The owner of its directory removes it. */
  readonly libsql: Report & { readonly path: string };
}

export interface DataOptions {
  /** A PostgreSQL database we may make a table in. */
  url: string;
  /** Where to make libsql's file; must not exist. */
  path: string;
  seed: number;
  /** CPU-bound time of one report alone on this machine, in ms. */
  target: number;
  progress: (message: string) => void;
}

/**
 * Fills the three databases (about 2 s on two slow cores) and sizes the reports
 * to the machine, one engine after the other so that they don't disturb each
 * other's measure (about three times `target`).
 */
export async function prepareData({
  url,
  path,
  seed,
  target,
  progress,
}: DataOptions): Promise<Data> {
  const client = new pg.Client(url);
  client.on("error", () => undefined); // the server is being stopped
  await client.connect();
  try {
    progress("filling PostgreSQL");
    await fillPostgres(client, seed);
    progress("filling DuckDB");
    const instance = await openDuckdb(seed);
    progress("filling libsql");
    await fillLibsql(path, seed);

    progress("sizing the reports to this machine");
    const postgresSpan = await calibrate(
      (span) => client.query(postgresReport, [span]),
      customers,
      target,
    );
    const connection = await connectDuckdb(instance);
    const duckdbSpan = await calibrate(
      (span) => connection.runAndReadAll(duckdbReport, [span]),
      visitors,
      target,
    );
    connection.closeSync();
    const database = new Database(path, {});
    const statement = (await database.prepare(libsqlReport)) as LibsqlStatement;
    const libsqlSpan = await calibrate((span) => statement.all(span), ratedProducts, target);
    database.close();

    return {
      postgres: { url, sql: postgresReport, span: postgresSpan },
      duckdb: { instance, sql: duckdbReport, span: duckdbSpan },
      libsql: { path, sql: libsqlReport, span: libsqlSpan },
    };
  } finally {
    await client.end();
  }
}

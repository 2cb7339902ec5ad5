/** What the descriptions of pg and postgres.js share: the server, and what it is asked. */
import pg from "pg";
import { afterAll, beforeAll } from "vitest";
import { postgresMessages, type AdapterUnderTest } from "../../src/testing/conformance/index.ts";
import { postgresUrl } from "./postgres.ts";

export const code = (error: unknown): unknown => (error as { code?: unknown }).code;

/** SQL that fails, with the error that `isFailure` recognizes. */
export const FAILING = "select 1 / 0";

/** Creates the table `table` for this test file, and returns the parts that every driver shares. */
export function onPostgres(table: string) {
  let observer: pg.Client;
  beforeAll(async () => {
    observer = new pg.Client({ connectionString: postgresUrl() });
    await observer.connect();
    await observer.query(`create table ${table} (n int)`);
  });
  afterAll(async () => {
    await observer.query(`drop table ${table}`);
    await observer.end();
  });
  const count = async (condition: string, value: string): Promise<number> => {
    const text = `select count(*)::int as n from pg_stat_activity where pid <> pg_backend_pid() and ${condition}`;
    const { rows } = await observer.query<{ n: number }>(text, [value]);
    return rows[0]?.n ?? 0;
  };
  const { hostname, port } = new URL(postgresUrl());
  const shared = {
    server: { host: hostname, port: Number(port) },
    split: postgresMessages,
    isRunning: async (tag) =>
      (await count("state = 'active' and position($1 in query) > 0", tag)) > 0,
    // A CancelRequest: its length, 16, and its code, 80877102.
    isStopRequest: (bytes) =>
      bytes.length === 16 && bytes.readInt32BE(0) === 16 && bytes.readInt32BE(4) === 80877102,
    isFailure: (error) => code(error) === "22012",
    async committed() {
      const { rows } = await observer.query<{ n: number }>(`delete from ${table} returning n`);
      return rows.map(({ n }) => n);
    },
  } satisfies Partial<AdapterUnderTest<unknown>>;
  return {
    shared,
    /** Returns how many connections with this application_name are inside a transaction and run nothing. */
    openTransactions: (applicationName: string): Promise<number> =>
      count("application_name = $1 and state like 'idle in transaction%'", applicationName),
  };
}

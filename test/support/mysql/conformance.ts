/** What the descriptions of mysql2 and mariadb share: the server, and what it is asked. */
import mysql from "mysql2/promise";
import { afterAll, beforeAll } from "vitest";
import { mysqlPackets, type AdapterUnderTest } from "../../../src/testing/conformance/index.ts";
import { addressOf, type TestServer } from "./servers.ts";

/** SQL that fails, with the error that `isFailure` recognizes. */
export const FAILING = "select * from no_such_table";

/** About how many rounds of `benchmark` the server computes in a millisecond. */
const ROUNDS = 4_000;

/**
 * Returns SQL that works for `ms` milliseconds, with one parameter. Short operations compute. MariaDB's
 * SLEEP() waits for a mutex that all sleepers share, so the KILL of one of several sleepers can take two
 * seconds. Longer operations sleep, because the KILL of BENCHMARK() can have a result instead of an error.
 */
export function worksFor(ms: number): [expression: string, value: number] {
  return ms < 5
    ? ["benchmark(?, sha2('x', 256))", Math.ceil(ms * ROUNDS)]
    : ["sleep(?)", ms / 1000];
}

/** Creates the table `table` for this test file, and returns the parts that every driver shares. */
export function partsOn(server: TestServer, table: string) {
  let observer: mysql.Connection;
  beforeAll(async () => {
    observer = await mysql.createConnection(server.url());
    await observer.query(`create table ${table} (n int)`);
  });
  afterAll(async () => {
    await observer.query(`drop table ${table}`);
    await observer.end();
  });
  const rowsOf = async (sql: string, values: unknown[] = []): Promise<mysql.RowDataPacket[]> =>
    (await observer.query<mysql.RowDataPacket[]>(sql, values))[0];
  return {
    server: () => addressOf(server),
    split: mysqlPackets,
    documented: { lateResults: "dropped" },
    async isRunning(tag) {
      const rows = await rowsOf(
        "select id from information_schema.processlist where id <> connection_id() and command in ('Query', 'Execute') and locate(?, info) > 0",
        [tag],
      );
      return rows.length > 0;
    },
    isStopRequest: (bytes) => bytes.includes("KILL QUERY"),
    isFailure: (error) => (error as { errno?: unknown }).errno === 1146,
    async committed() {
      const rows = await rowsOf(`select n from ${table}`);
      await observer.query(`delete from ${table}`);
      return rows.map((row) => Number(row["n"]));
    },
  } satisfies Partial<AdapterUnderTest<unknown>>;
}

/** Pools of postgres.js for tests, and checks of their state. */
import postgres from "postgres";
import { expect, onTestFinished } from "vitest";
import { postgresUrl, until } from "./postgres.ts";

type Options = Exclude<Parameters<typeof postgres>[1], undefined>;

/** Creates a pool that is closed at the end of the test. */
export function testSql(options: Options = {}, url = postgresUrl()) {
  const notices: unknown[] = [];
  const sql = postgres(url, {
    onnotice: (notice) => notices.push(notice["message"]),
    backoff: () => 0.02,
    ...options,
  });
  onTestFinished(() => sql.end({ timeout: 5 }));
  return Object.assign(sql, { notices });
}

export type TestSql = ReturnType<typeof testSql>;

/**
 * Takes every place of the pool at the same time, which proves that none is lost. Resolves with the
 * process ids of the connections, in order. Expects that no connection was inside a transaction: the
 * server would have warned about a second BEGIN.
 */
export async function wholePool(sql: TestSql): Promise<number[]> {
  const max = sql.options.max;
  let arrived = 0;
  const pids = await Promise.all(
    Array.from({ length: max }, () =>
      sql.begin(async (tx) => {
        const [row] = await tx<{ pid: number }[]>`select pg_backend_pid() as pid`;
        arrived++;
        await until(() => arrived === max);
        return row?.pid ?? 0;
      }),
    ),
  );
  expect(new Set(pids).size).toBe(max);
  expect(sql.notices.filter((notice) => /transaction/.test(String(notice)))).toEqual([]);
  return pids.sort((a, b) => a - b);
}

/** Resolves with the process id of a connection of the pool. */
export async function pidOf(sql: TestSql): Promise<number | undefined> {
  const [row] = await sql<{ pid: number }[]>`select pg_backend_pid() as pid`;
  return row?.pid;
}

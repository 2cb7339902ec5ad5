import type pg from "pg";
import { expect, test, vi } from "vitest";
import type { Context } from "../index.ts";
import { testClient, testPool, until } from "../../test/support/postgres.ts";
import { CANCELS, race, unhandledRejections } from "../../test/support/race.ts";
import { withContext, type ContextTransactional } from "./index.ts";

vi.setConfig({ testTimeout: 600_000 + CANCELS * 50 });

const unhandled = unhandledRejections();

interface Row {
  i: number;
}
type Db = ContextTransactional<pg.Pool>;
const one = (rows: Row[]): number | undefined => rows[0]?.i;

/** The forms of a statement. Each returns `i`. */
const forms: ((db: Db, ctx: Context, i: number, seconds: number) => Promise<unknown>)[] = [
  async (db, ctx, i, seconds) =>
    one((await db.query<Row>(ctx, "select $1::int as i, pg_sleep($2)", [i, seconds])).rows),
  async (db, ctx, i, seconds) =>
    await db.transaction(ctx, async (tx) => {
      const { rows } = await tx.query<Row>(ctx, "select $1::int as i, pg_sleep($2)", [i, seconds]);
      return one(rows);
    }),
  async (db, ctx, i, seconds) => {
    const text = "select $1::int as i, pg_sleep($2) from generate_series(1, 3)";
    let last: number | undefined;
    for await (const row of db.stream<Row>(ctx, { text, rows: 2 }, [i, seconds / 3])) last = row.i;
    return last;
  },
];

async function innocent(db: Db, ctx: Context, i: number): Promise<unknown> {
  return one((await db.query<Row>(ctx, "select $1::int as i, pg_sleep(0.0005)", [i])).rows);
}

test.each([1, 4])(
  `${CANCELS} late cancel requests over %i connections hit no other query`,
  async (max) => {
    const pool = testPool({ max });
    const pids = new Set<number>();
    pool.on("connect", (client) =>
      pids.add((client as unknown as { processID: number }).processID),
    );
    const db = withContext(pool);
    await race({
      seed: max,
      workers: 3 * max,
      guilty: (ctx, i, seconds) => forms[i % forms.length]!(db, ctx, i, seconds),
      innocent: (ctx, i) => innocent(db, ctx, i),
    });
    await until(() => pool.waitingCount === 0 && pool.idleCount === pool.totalCount);
    expect(pids.size).toBe(pool.totalCount); // none was destroyed
    expect(unhandled).toEqual([]);
  },
);

test("late cancel requests on a client do not hit its owner's other queries", async () => {
  const client = await testClient();
  const db = withContext(client);
  await race({
    seed: 0,
    cancels: Math.ceil(CANCELS / 4),
    workers: 1,
    guilty: (ctx, i, seconds) =>
      db
        .query<Row>(ctx, "select $1::int as i, pg_sleep($2)", [i, seconds])
        .then(({ rows }) => one(rows)),
    innocent: (_, i) =>
      client.query<Row>("select $1::int as i, pg_sleep(0.0005)", [i]).then(({ rows }) => one(rows)),
  });
  expect(unhandled).toEqual([]);
});

/** Late cancel requests must not hit another query. */
import { expect, test, vi } from "vitest";
import { background, sleep, withCancel, type Context } from "../index.ts";
import { CANCELS, race, random, unhandledRejections } from "../../test/support/race.ts";
import { testSql, wholePool, type TestSql } from "../../test/support/postgresjs.ts";
import { withContext, type ContextDatabase } from "./index.ts";

vi.setConfig({ testTimeout: 600_000 + CANCELS * 50 });

const unhandled = unhandledRejections();

type Form = (
  db: ContextDatabase,
  sql: TestSql,
  ctx: Context,
  i: number,
  seconds: number,
) => Promise<unknown>;

const sleeping = (sql: TestSql, i: number, seconds: number) =>
  sql<{ i: number }[]>`select ${i}::int as i, pg_sleep(${seconds})`;

/** The ways to run a statement. Each answers with `i`. */
const forms: Form[] = [
  async (db, sql, ctx, i, seconds) => (await db.query(ctx, sleeping(sql, i, seconds)))[0]?.i,
  async (db, sql, ctx, i, seconds) =>
    (await db.query(ctx, sql.unsafe(`select ${i} as i, pg_sleep(${seconds})`)))[0]?.[
      "i"
    ] as unknown,
  (db, sql, ctx, i, seconds) =>
    db.transaction(ctx, async (tx) => (await tx.query(ctx, sleeping(sql, i, seconds)))[0]?.i),
  async (db, sql, ctx, i, seconds) => {
    const query = sql`select ${i}::int as i, pg_sleep(${seconds / 3}) from generate_series(1, 3)`;
    let last: unknown;
    for await (const row of db.stream(ctx, query, { rows: 2 })) last = row["i"];
    return last;
  },
];

test.each([1, 4])(
  `${CANCELS} late cancel requests on %i connections hit no other query`,
  async (max) => {
    const sql = testSql({ max });
    const db = withContext(sql, { onCancel: "reuse" });
    const before = await wholePool(sql);
    await race({
      seed: 100 + max,
      workers: 3 * max,
      guilty: (ctx, i, seconds) => forms[i % forms.length]!(db, sql, ctx, i, seconds),
      // Half of the queries are sent with the driver alone, which pipelines them.
      innocent: async (ctx, i) => {
        const query = sleeping(sql, i, 0.0005);
        return (await (i % 2 === 0 ? db.query(ctx, query) : query))[0]?.i;
      },
    });
    expect(await wholePool(sql)).toEqual(before); // no connection was destroyed
    expect(unhandled).toEqual([]);
  },
);

/** Runs 40 queries on 4 connections. `cancel` ends number 20. Returns the outcomes of the others. */
async function lookUps(
  sql: TestSql,
  run: (query: ReturnType<typeof sleeping>, i: number) => Promise<{ i: number }[]>,
  cancel: () => void,
): Promise<string[]> {
  const outcomes = Array.from({ length: 40 }, (_, i) =>
    run(sleeping(sql, i, 0.002), i).then(
      ([row]) => (row?.i === i ? "its own" : `another's`),
      () => "failed",
    ),
  );
  cancel();
  const patience = sleep(background(), 3_000).then(() => "nothing");
  return (await Promise.all(outcomes.map((outcome) => Promise.race([outcome, patience])))).filter(
    (_, i) => i !== 20,
  );
}

test("when one of 40 queries on 4 connections is canceled, each of the others gets its own row", async () => {
  const sql = testSql({ max: 4 });
  const db = withContext(sql, { onCancel: "reuse" });
  const draw = random(40);
  const before = await wholePool(sql);
  for (let round = 0; round < 20; round++) {
    using ctx = withCancel(background());
    const others = await lookUps(
      sql,
      (query, i) => db.query(i === 20 ? ctx : background(), query),
      () => setTimeout(() => ctx.cancel(), draw() * 30),
    );
    expect(others).toEqual(Array.from({ length: 39 }, () => "its own"));
  }
  expect(await wholePool(sql)).toEqual(before);
});

// This is why the adapter does not use the driver's `cancel()`. If this test fails, the driver may have
// fixed it: then reconsider.
test("(the driver alone: after its own `cancel()`, queries get the rows of other queries)", async () => {
  const seen = new Set<string>();
  for (let round = 0; round < 40 && !seen.has("another's"); round++) {
    const sql = testSql({ max: 4 });
    await wholePool(sql);
    await Promise.all(Array.from({ length: 8 }, (_, i) => sleeping(sql, i, 0)));
    let victim: { cancel(): void } | undefined;
    const others = await lookUps(
      sql,
      (query, i) => {
        if (i === 20) victim = query;
        return query;
      },
      () => setTimeout(() => victim?.cancel(), 1 + (round % 5)),
    );
    for (const outcome of others) seen.add(outcome);
  }
  expect(seen).toContain("another's");
});

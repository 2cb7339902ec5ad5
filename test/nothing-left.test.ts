/** `expectNothingLeft` and `cancelEverywhere` with a real pool of `pg`. */
import pg from "pg";
import { expect, test } from "vitest";
import { background } from "../src/index.ts";
import { withContext } from "../src/pg/index.ts";
import { cancelEverywhere, expectNothingLeft } from "../src/testing/index.ts";
import { describeWith, serverUrl } from "./support/server.ts";

describeWith("postgres")("on PostgreSQL,", () => {
  const newPool = (): pg.Pool => new pg.Pool({ connectionString: serverUrl("postgres"), max: 2 });

  test("a pool that was ended leaves nothing", async () => {
    const rows = await expectNothingLeft(async () => {
      const pool = newPool();
      const result = await withContext(pool).query(background(), "select 1 as one");
      await pool.end();
      return result.rows;
    });
    expect(rows).toEqual([{ one: 1 }]);
  });

  test("a pool that was not ended leaves its idle connection, and the query that opened it is named", async () => {
    let pool: pg.Pool | undefined;
    const left = expectNothingLeft(
      async () => {
        pool = newPool();
        await withContext(pool).query(background(), "select 1");
      },
      { within: 50 },
    );
    await expect(left).rejects.toThrow(
      /- a connection to [^]*at .*pg-pool[^]*at .*nothing-left\.test\.ts/,
    );
    await pool?.end();
  });

  test("a pool from outside keeps its connections", async () => {
    const pool = newPool();
    await pool.query("select 1");
    await expectNothingLeft(() => withContext(pool).query(background(), "select 1"));
    await pool.end();
  });

  test("a transaction that is canceled everywhere is committed as a whole or not at all", async (t) => {
    const pool = newPool();
    t.onTestFinished(() => pool.end());
    const db = withContext(pool);
    const name = `everywhere_${process.pid}`;
    await pool.query(`create table ${name} (account text, amount int)`);
    t.onTestFinished(async () => void (await pool.query(`drop table ${name}`)));
    let done = 0;
    const steps = await cancelEverywhere(
      (ctx) =>
        db.transaction(ctx, async (tx) => {
          await tx.query(ctx, `insert into ${name} values ('a', -10)`);
          await tx.query(ctx, `insert into ${name} values ('b', 10)`);
        }),
      {
        check: async (outcome) => {
          if ("value" in outcome) done++;
          const { rows } = await pool.query<{ n: number; sum: number }>(
            `select count(*)::int as n, coalesce(sum(amount), 0)::int as sum from ${name}`,
          );
          expect(rows).toEqual([{ n: 2 * done, sum: 0 }]);
        },
      },
    );
    expect(steps.filter((step) => step.endsWith("begins")).length).toBeGreaterThan(1);
  });
});

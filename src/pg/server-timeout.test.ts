/** The server timeout: the deadline as a statement_timeout that is sent along with the query. */
import { describe, expect, test } from "vitest";
import { background, withTimeout } from "../index.ts";
import { testClient, testPool } from "../../test/support/postgres.ts";
import { withContext } from "./index.ts";

const LIMITED = { serverTimeout: true };
const SHOW = "select current_setting('statement_timeout') as t";
const near = (text: unknown, ms: number): void => {
  const t = Number.parseInt(String(text)) * (/\ds$/.test(String(text)) ? 1000 : 1);
  expect(t).toBeGreaterThan(ms - 5_000);
  expect(t).toBeLessThanOrEqual(ms);
};

describe("a query from a pool whose context has a deadline", () => {
  const forms: [string, (text: string) => Parameters<ReturnType<typeof testPool>["query"]>][] = [
    ["text", (text) => [text] as never],
    ["values", (text) => [`${text} where $1::int = 1`, [1]] as never],
    ["a name", (text) => [{ name: "show", text }] as never],
  ];
  test.each(forms)(
    "with %s gets a statement_timeout, and the queries after it get none",
    async (_, form) => {
      const pool = testPool({ max: 1 });
      const db = withContext(pool, LIMITED);
      using ctx = withTimeout(background(), 60_000);
      for (let i = 0; i < 3; i++) {
        const { rows } = await db.query<{ t: string }>(ctx, ...(form(SHOW) as unknown as [string]));
        expect(rows).toHaveLength(1);
        near(rows[0]!.t, 62_000);
        expect((await pool.query(SHOW)).rows).toEqual([{ t: "0" }]);
      }
      expect((await db.query(background(), SHOW)).rows).toEqual([{ t: "0" }]);
    },
  );

  test("has the same result as without a deadline", async () => {
    const pool = testPool({ max: 1 });
    using ctx = withTimeout(background(), 60_000);
    const text = "select 1 as one, 'x' as x union all select 2, 'y'";
    expect(await withContext(pool, LIMITED).query(ctx, text)).toEqual(await pool.query(text));
    const failing = { name: "bad", text: "selec" };
    await expect(withContext(pool, LIMITED).query(ctx, failing)).rejects.toMatchObject({
      position: "1",
    });
    await expect(withContext(pool, LIMITED).query(ctx, failing)).rejects.toMatchObject({
      code: "42601",
    });
  });

  test("is ended by the server if no cancel request is sent", async () => {
    const pool = testPool({ max: 1 });
    await pool.query("select 1"); // a wait for the connection would use up the limit
    const db = withContext(pool, { serverTimeout: true, stopTimeout: -59_000 });
    using ctx = withTimeout(background(), 60_000);
    await expect(db.query(ctx, "select pg_sleep(60)")).rejects.toMatchObject({ code: "57014" });
  });

  test.each([
    ["several statements", "select 1 as a; select 2 as b"],
    ["a statement that runs only by itself", "vacuum"],
    ["a block that commits", "do $$ begin create temp table t_do (n int); commit; end $$"],
    ["a procedure that commits", "call pg_temp.commits()"],
    ["a COPY to stdout", "copy (select 1) to stdout"],
    ["an empty text", ""],
    ["a comment", "-- nothing"],
  ])("gets no statement_timeout if it is %s, and has the same result", async (_, text) => {
    const pool = testPool({ max: 1 });
    await pool.query(
      "create or replace procedure pg_temp.commits() language plpgsql as $$ begin commit; end $$",
    );
    using ctx = withTimeout(background(), 60_000);
    const without = await pool.query(text);
    await pool.query("drop table if exists t_do");
    expect(await withContext(pool, LIMITED).query(ctx, text)).toEqual(without);
  });

  test.each(["commit", "rollback", "set transaction isolation level serializable", "begin"])(
    "does not get in the way of %s",
    async (text) => {
      const pool = testPool({ max: 1 });
      using ctx = withTimeout(background(), 60_000);
      const { command } = await withContext(pool, LIMITED).query(ctx, text);
      expect(command).toBe((await pool.query(text)).command);
    },
  );

  test.each(["select pg_sleep(60); select 2", "vacuum vacuumed"])(
    "stops with the context's error if it is the first on its connection: %s",
    async (text) => {
      const other = await testClient();
      await other.query("create table if not exists vacuumed (n int)");
      await other.query("begin; lock table vacuumed");
      const db = withContext(testPool({ max: 1 }), LIMITED);
      using ctx = withTimeout(background(), 300);
      const error: unknown = await db.query(ctx, text).catch((reason: unknown) => reason);
      expect(error).toBe(ctx.err());
      await other.query("rollback; drop table vacuumed");
    },
  );

  test("keeps the user's own statement_timeout if that is shorter", async () => {
    using ctx = withTimeout(background(), 60_000);
    for (const [own, left] of [
      ["1500", "1500ms"],
      ["30000", "30s"],
      ["3600000", "62s"],
    ] as const) {
      const db = withContext(testPool({ options: `-c statement_timeout=${own}` }), LIMITED);
      near(
        (await db.query<{ t: string }>(ctx, SHOW)).rows[0]!.t,
        Number.parseInt(left) * (left.endsWith("ms") ? 1 : 1000),
      );
      await db.transaction(ctx, async (tx) => {
        near(
          (await tx.query<{ t: string }>(ctx, SHOW)).rows[0]!.t,
          Number.parseInt(left) * (left.endsWith("ms") ? 1 : 1000),
        );
      });
    }
  });

  test("keeps a statement_timeout that the user sets later", async () => {
    const pool = testPool({ max: 1 });
    const db = withContext(pool, LIMITED);
    using ctx = withTimeout(background(), 60_000);
    const limit = async (): Promise<string> =>
      (await db.query<{ t: string }>(ctx, SHOW)).rows[0]!.t;
    near(await limit(), 62_000);
    await db.query(ctx, "set statement_timeout = '300ms'");
    expect(await limit()).toBe("300ms");
    await pool.query("set statement_timeout = '200ms'");
    expect(await limit()).toBe("200ms");
    await expect(db.query(ctx, "select pg_sleep(60)")).rejects.toMatchObject({ code: "57014" });
    await pool.query("reset statement_timeout");
    near(await limit(), 62_000);
  });

  test("gets no statement_timeout by default", async () => {
    using ctx = withTimeout(background(), 60_000);
    const db = withContext(testPool());
    expect((await db.query(ctx, SHOW)).rows).toEqual([{ t: "0" }]);
    await db.transaction(ctx, async (tx) => {
      expect((await tx.query(ctx, SHOW)).rows).toEqual([{ t: "0" }]);
    });
  });
});

test("the statements of a transaction get a statement_timeout, and the queries after it get none", async () => {
  const pool = testPool({ max: 1 });
  const db = withContext(pool, LIMITED);
  using ctx = withTimeout(background(), 60_000);
  await db.transaction(ctx, async (tx) => {
    for (let i = 0; i < 2; i++) near((await tx.query<{ t: string }>(ctx, SHOW)).rows[0]!.t, 62_000);
  });
  expect((await pool.query(SHOW)).rows).toEqual([{ t: "0" }]);
});

test("queries on the caller's own client get no statement_timeout, because they may be in a transaction", async () => {
  const db = withContext(await testClient(), LIMITED);
  using ctx = withTimeout(background(), 60_000);
  expect((await db.query(ctx, SHOW)).rows).toEqual([{ t: "0" }]);
});

/** The server timeout: the deadline as a statement_timeout that is sent along with the query. */
import { describe, expect, test } from "vitest";
import { background, withTimeout } from "../index.ts";
import { testClient, testPool } from "../../test/support/postgres.ts";
import { withContext } from "./index.ts";

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
      const db = withContext(pool);
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
    expect(await withContext(pool).query(ctx, text)).toEqual(await pool.query(text));
    const failing = { name: "bad", text: "selec" };
    await expect(withContext(pool).query(ctx, failing)).rejects.toMatchObject({ position: "1" });
    await expect(withContext(pool).query(ctx, failing)).rejects.toMatchObject({ code: "42601" });
  });

  test("is ended by the server if no cancel request is sent", async () => {
    const db = withContext(testPool({ max: 1 }), { stopTimeout: -59_900 });
    using ctx = withTimeout(background(), 60_000);
    await expect(db.query(ctx, "select pg_sleep(60)")).rejects.toMatchObject({ code: "57014" });
  });

  test.each([
    ["several statements", "select 1 as a; select 2 as b"],
    ["a statement that runs only by itself", "vacuum"],
    ["an empty text", ""],
    ["a comment", "-- nothing"],
  ])("has the same result as without a deadline if it is %s", async (_, text) => {
    const pool = testPool({ max: 1 });
    using ctx = withTimeout(background(), 60_000);
    expect(await withContext(pool).query(ctx, text)).toEqual(await pool.query(text));
  });

  test("keeps the user's own statement_timeout if that is shorter", async () => {
    using ctx = withTimeout(background(), 60_000);
    for (const [own, left] of [
      ["1500", "1500ms"],
      ["30000", "30s"],
      ["3600000", "62s"],
    ] as const) {
      const db = withContext(testPool({ options: `-c statement_timeout=${own}` }));
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

  test("gets no statement_timeout with serverTimeout: false", async () => {
    using ctx = withTimeout(background(), 60_000);
    const db = withContext(testPool(), { serverTimeout: false });
    expect((await db.query(ctx, SHOW)).rows).toEqual([{ t: "0" }]);
    await db.transaction(ctx, async (tx) => {
      expect((await tx.query(ctx, SHOW)).rows).toEqual([{ t: "0" }]);
    });
  });
});

test("the statements of a transaction get a statement_timeout, and the queries after it get none", async () => {
  const pool = testPool({ max: 1 });
  const db = withContext(pool);
  using ctx = withTimeout(background(), 60_000);
  await db.transaction(ctx, async (tx) => {
    for (let i = 0; i < 2; i++) near((await tx.query<{ t: string }>(ctx, SHOW)).rows[0]!.t, 62_000);
  });
  expect((await pool.query(SHOW)).rows).toEqual([{ t: "0" }]);
});

test("a query gets its statement_timeout even if the prepared statement that sets it was lost", async () => {
  const pool = testPool({ max: 1 });
  const db = withContext(pool);
  using ctx = withTimeout(background(), 60_000);
  for (const spoil of ["deallocate all", "select 1", "prepare eightysix_timeout as select 1"]) {
    for (let i = 0; i < 3; i++) near((await db.query<{ t: string }>(ctx, SHOW)).rows[0]!.t, 62_000);
    await pool.query(spoil);
  }
  near((await db.query<{ t: string }>(ctx, SHOW)).rows[0]!.t, 62_000);
});

test("queries on the caller's own client get no statement_timeout, because they may be in a transaction", async () => {
  const db = withContext(await testClient());
  using ctx = withTimeout(background(), 60_000);
  expect((await db.query(ctx, SHOW)).rows).toEqual([{ t: "0" }]);
});

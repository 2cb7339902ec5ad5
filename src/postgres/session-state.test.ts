/** What a pool's connection hands from one caller to the next: no locks, settings or transactions. */
import { afterEach, describe, expect, test } from "vitest";
import { background, developmentMode, shield, sleep, withTimeout, type Context } from "../index.ts";
import { cancelConnection } from "../../test/support/cancel-connection.ts";
import { observer, until } from "../../test/support/postgres.ts";
import { pidOf, testSql, wholePool, type TestSql } from "../../test/support/postgresjs.ts";
import { rejection, watchReports } from "../../test/support/reports.ts";
import { withContext, type ConnectionOptions, type ContextTransactional } from "./index.ts";

const warnings = watchReports();
let lock = process.pid * 1_000 + 500;

const cancelAfter = (
  sql: TestSql,
  fn: (own: ContextTransactional, ctx: Context) => Promise<unknown>,
  cleanUp?: (own: ContextTransactional, ctx: Context) => Promise<unknown>,
  options?: ConnectionOptions,
): Promise<void> =>
  cancelConnection<ContextTransactional>(
    {
      connection: (ctx, use) => withContext(sql).connection(ctx, use, options),
      sleep: (own, ctx) => own.query(ctx, sql`select pg_sleep(60)`),
    },
    fn,
    cleanUp,
  );

describe("a connection whose context has ended", () => {
  test("hands neither a SET nor a temporary table nor a transaction to the next user", async () => {
    const sql = testSql({ max: 1 });
    await cancelAfter(sql, async (own, ctx) => {
      await own.query(ctx, sql`set statement_timeout = '77s'`);
      await own.query(ctx, sql`create temp table picked (id int)`);
      await own.query(ctx, sql`begin`);
    });
    const rows = await sql`select to_regclass('pg_temp.picked')::text as t,
      current_setting('statement_timeout') as s`;
    expect([...rows]).toEqual([{ t: null, s: "0" }]);
    await wholePool(sql); // and no transaction is open
  });

  test("does not keep an advisory lock, and a waiter of the pool gets another connection", async () => {
    const id = ++lock;
    const look = await observer();
    const sql = testSql({ max: 1 });
    const before = await pidOf(sql);
    let waiter: Promise<number | undefined> | undefined;
    await cancelAfter(sql, async (own, ctx) => {
      await own.query(ctx, sql`select pg_advisory_lock(${id})`);
      waiter = pidOf(sql);
    });
    expect(await waiter).not.toBe(before);
    await until(async () => {
      const { rows } = await look.query(
        "select 1 from pg_locks where locktype = 'advisory' and objid = $1",
        [id],
      );
      return rows.length === 0;
    });
  });

  test('lets its function clean up under a shield, and stays in the pool with after: "keep"', async () => {
    const id = ++lock;
    const sql = testSql({ max: 1 });
    const before = await pidOf(sql);
    let released: unknown;
    await cancelAfter(
      sql,
      (own, ctx) => own.query(ctx, sql`select pg_advisory_lock(${id})`),
      (own, ctx) =>
        shield(ctx, 5_000, async (live) => {
          [released] = await own.query(live, sql`select pg_advisory_unlock(${id}) as ok`);
        }),
      { after: "keep" },
    );
    expect(released).toEqual({ ok: true });
    expect(await pidOf(sql)).toBe(before);
  });
});

describe("in development mode", () => {
  afterEach(() => developmentMode(false));

  test("a single query that leaves a transaction open causes a process warning", async () => {
    const sql = testSql({ max: 1 });
    const db = withContext(sql);
    const text = `begin /* ${++lock} */`;
    await db.query(background(), sql.unsafe(text));
    await sleep(background(), 0);
    expect(warnings).toEqual([]);
    developmentMode(true);
    await db.query(background(), sql.unsafe(text));
    await sleep(background(), 0);
    expect(warnings).toMatchObject([{ code: "EIGHTYSIX_TRANSACTION_LEFT_OPEN", detail: text }]);
    await wholePool(sql);
  });
});

type Db = ReturnType<typeof withContext>;
test.each<[string, (db: Db, sql: TestSql, ctx: Context) => Promise<unknown>]>([
  ["a transaction", (db, _, ctx) => db.transaction(ctx, () => undefined)],
  ["a query", (db, sql, ctx) => db.query(ctx, sql`select 1`)],
])(
  "%s that waits for the connection of its own caller causes a process warning",
  async (_, call) => {
    const sql = testSql({ max: 1 });
    const db = withContext(sql);
    using ctx = withTimeout(background(), 2_000);
    const work = db.transaction(ctx, async (tx) => {
      await tx.query(ctx, sql`select 1`);
      await call(db, sql, ctx);
    });
    expect(await rejection(work)).toBe(ctx.err());
    await sleep(background(), 0);
    expect(warnings).toMatchObject([{ code: "EIGHTYSIX_WAITS_FOR_ITSELF" }]);
  },
);

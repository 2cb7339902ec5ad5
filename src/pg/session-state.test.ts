/** What a pool's connection hands from one caller to the next: no locks, settings or transactions. */
import type pg from "pg";
import { afterEach, describe, expect, test } from "vitest";
import {
  background,
  developmentMode,
  shield,
  sleep,
  withCancel,
  withLedger,
  withTimeout,
  working,
  type Context,
} from "../index.ts";
import { cancelConnection } from "../../test/support/cancel-connection.ts";
import { rejection, watchReports } from "../../test/support/reports.ts";
import { observer, testClient, testPool, until } from "../../test/support/postgres.ts";
import { withContext, type ConnectionOptions, type ContextTransactional } from "./index.ts";

const warnings = watchReports();
let lock = process.pid * 1_000;

type Own = ContextTransactional<pg.Pool | pg.Client>;

const cancelAfter = (
  driver: pg.Pool | pg.Client,
  fn: (own: Own, ctx: Context) => Promise<unknown>,
  cleanUp?: (own: Own, ctx: Context) => Promise<unknown>,
  options?: ConnectionOptions,
): Promise<void> =>
  cancelConnection<Own>(
    {
      connection: (ctx, use) => withContext(driver).connection(ctx, use, options),
      sleep: (own, ctx) => own.query(ctx, "select pg_sleep(60)"),
    },
    fn,
    cleanUp,
  );

const locksOf = async (id: number): Promise<number> => {
  const { rows } = await (
    await observer()
  ).query<{ n: number }>(
    "select count(*)::int as n from pg_locks where locktype = 'advisory' and objid = $1",
    [id],
  );
  return rows[0]!.n;
};

const pidOf = async (driver: pg.Pool | pg.Client): Promise<number> =>
  (await driver.query<{ pid: number }>("select pg_backend_pid() as pid")).rows[0]!.pid;

describe("a connection whose context has ended", () => {
  const states: [what: string, set: string, ask: string, clean: unknown][] = [
    ["a SET", "set application_name = 'mine'", "show application_name", { application_name: "" }],
    [
      "a temporary table",
      "create temp table picked (id int)",
      "select to_regclass('pg_temp.picked')::text as t",
      { t: null },
    ],
    [
      "an open transaction",
      "begin; select 1",
      "select now() < statement_timestamp() as t, pg_sleep(0)::text as s",
      { t: false, s: "" },
    ],
  ];
  test.each(states)("does not hand %s to the next user", async (_, set, ask, clean) => {
    const pool = testPool({ max: 1 });
    await cancelAfter(pool, (own, ctx) => own.query(ctx, set));
    expect((await pool.query(ask)).rows).toEqual([clean]);
  });

  test("does not keep an advisory lock, and a waiter of the pool gets another connection", async () => {
    const id = ++lock;
    const pool = testPool({ max: 1 });
    const before = await pidOf(pool);
    let waiter: Promise<number> | undefined;
    await cancelAfter(pool, async (own, ctx) => {
      await own.query(ctx, "select pg_advisory_lock($1)", [id]);
      waiter = pidOf(pool);
    });
    expect(await waiter).not.toBe(before);
    await until(async () => (await locksOf(id)) === 0);
    expect(pool.totalCount).toBe(1);
  });

  test("leaves what the pool's connect listener has set up to the next user", async () => {
    const role = `role_${process.pid}`;
    const look = await observer();
    await look.query(`drop role if exists ${role}`);
    await look.query(`create role ${role}`);
    try {
      const pool = testPool({ max: 1 });
      pool.on("connect", (client) => void client.query(`set role ${role}`));
      await cancelAfter(pool, (own, ctx) => own.query(ctx, "reset role"));
      expect((await pool.query("select current_user::text as u")).rows).toEqual([{ u: role }]);
    } finally {
      await look.query(`drop role ${role}`);
    }
  });

  test("lets its function release a lock under a shield, also in a transaction", async () => {
    const id = ++lock;
    const pool = testPool({ max: 1 });
    let released: unknown;
    await cancelAfter(
      pool,
      (own, ctx) => own.query(ctx, "select pg_advisory_lock($1)", [id]),
      async (own, ctx) => {
        await shield(ctx, 5_000, async (live) => {
          const sql = "select pg_advisory_unlock($1) as ok";
          released = (await own.transaction(live, (tx) => tx.query(live, sql, [id]))).rows;
        });
        expect(await locksOf(id)).toBe(0);
      },
      { after: "keep" },
    );
    expect(released).toEqual([{ ok: true }]);
  });

  test("stops a clean-up without a deadline one stop timeout after the end, and one in a transaction at once", async () => {
    const pool = testPool({ max: 1 });
    using ctx = withCancel(background());
    const db = withContext(pool, { stopTimeout: 300 });
    const work = db.connection(ctx, async (own) => {
      const inTransaction = own.transaction(ctx, async (tx) => {
        ctx.cancel();
        await tx.query(background(), "select 1");
      });
      expect(await rejection(inTransaction)).toBe(ctx.err());
      await own.query(background(), "select 2");
      expect(await rejection(own.query(background(), "select pg_sleep(60)"))).toBe(ctx.err());
      expect(await rejection(own.query(background(), "select 3"))).toBe(ctx.err());
    });
    await work;
  });

  test('goes back to its pool with after: "keep", without its transaction', async () => {
    const pool = testPool({ max: 1 });
    const before = await pidOf(pool);
    const set = async (own: Own, ctx: Context): Promise<void> => {
      await own.query(ctx, "set application_name = 'mine'");
      await own.query(ctx, "begin");
    };
    await cancelAfter(pool, set, undefined, { after: "keep" });
    expect(await pidOf(pool)).toBe(before);
    expect((await pool.query("show application_name")).rows).toEqual([
      { application_name: "mine" },
    ]);
    const { rows } = await pool.query("select now() < statement_timestamp() as t");
    expect(rows).toEqual([{ t: false }]);
  });

  test("is not closed if it is a client of the caller, and keeps its settings", async () => {
    const client = await testClient();
    const before = await pidOf(client);
    await cancelAfter(client, (own, ctx) => own.query(ctx, "set application_name = 'mine'"));
    expect(await pidOf(client)).toBe(before);
    const { rows } = await client.query("show application_name");
    expect(rows).toEqual([{ application_name: "mine" }]);
  });
});

describe("a single query that begins a transaction", () => {
  afterEach(() => developmentMode(false));

  test.each(["BEGIN", "begin; select 1", "start transaction read write"])(
    "is rolled back before its connection goes back to the pool: %s",
    async (sql) => {
      const table = `t${process.pid}_${++lock}`;
      const look = await observer();
      await look.query(`create table ${table} (n int)`);
      try {
        const pool = testPool({ max: 1 });
        const db = withContext(pool);
        const before = await pidOf(pool);
        await db.query(background(), sql);
        await db.query(background(), `insert into ${table} values (1)`);
        expect((await look.query(`select n from ${table}`)).rows).toEqual([{ n: 1 }]);
        expect(await pidOf(pool)).toBe(before);
      } finally {
        await look.query(`drop table ${table}`);
      }
    },
  );

  test("shows its rollback in the ledger, and warns in development mode only", async () => {
    const pool = testPool({ max: 1 });
    const db = withContext(pool);
    const ctx = withLedger(background());
    const sql = `begin /* ${++lock} */`;
    await db.query(ctx, sql);
    expect(working(ctx)).toMatchObject([{ kind: "pg.query", what: "ROLLBACK" }]);
    await pidOf(pool);
    expect(working(ctx)).toEqual([]);
    expect(warnings).toEqual([]);
    developmentMode(true);
    await db.query(background(), sql);
    await pidOf(pool);
    expect(warnings).toMatchObject([{ code: "EIGHTYSIX_TRANSACTION_LEFT_OPEN", detail: sql }]);
  });
});

describe("a call on a pool of one connection that waits for its own caller", () => {
  type Db = ReturnType<typeof withContext<pg.Pool>>;
  test.each<[string, (db: Db, ctx: Context) => Promise<unknown>]>([
    ["a transaction", (db, ctx) => db.transaction(ctx, (tx) => tx.query(ctx, "select 1"))],
    ["a query", (db, ctx) => db.query(ctx, "select 1")],
  ])("causes a process warning: %s", async (_, call) => {
    const db = withContext(testPool({ max: 1 }));
    using ctx = withTimeout(background(), 2_000);
    const work = db.transaction(ctx, async (tx) => {
      await tx.query(ctx, "select 1");
      await call(db, ctx);
    });
    expect(await rejection(work)).toBe(ctx.err());
    await sleep(background(), 0);
    expect(warnings).toMatchObject([{ code: "EIGHTYSIX_WAITS_FOR_ITSELF" }]);
  });

  test("causes none if the pool's own limit ends the wait", async () => {
    const db = withContext(testPool({ max: 1, connectionTimeoutMillis: 200 }));
    using ctx = withCancel(background());
    const work = db.transaction(ctx, () => db.query(ctx, "select 1"));
    await expect(work).rejects.toThrow("timeout exceeded when trying to connect");
    await sleep(background(), 0);
    expect(warnings).toEqual([]);
  });

  test("causes one on the caller's own client too", async () => {
    const db = withContext(await testClient());
    using ctx = withTimeout(background(), 1_000);
    const work = db.transaction(ctx, () => db.transaction(ctx, () => undefined));
    expect(await rejection(work)).toBe(ctx.err());
    await sleep(background(), 0);
    expect(warnings).toMatchObject([{ code: "EIGHTYSIX_WAITS_FOR_ITSELF" }]);
  });
});

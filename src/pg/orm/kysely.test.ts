import { Kysely, PostgresDialect, sql } from "kysely";
import Cursor from "pg-cursor";
import pg from "pg";
import { beforeEach, describe, expect, onTestFinished, test, vi } from "vitest";
import { background, withCancel, type Context } from "../../index.ts";
import {
  mark,
  observer,
  postgresUrl,
  testPool,
  until,
  type Observer,
} from "../../../test/support/postgres.ts";
import { expectWhole, failure, idsIn, isRunning, table } from "../../../test/support/orms.ts";
import { runWithContext } from "../../current/index.ts";
import { bind, contextPool } from "../index.ts";

vi.setConfig({ testTimeout: 60_000, hookTimeout: 60_000 });

type Tables = Record<string, { id: number }>;

let look: Observer;
beforeEach(async () => {
  look = await observer();
});

describe.each(["bind", "contextPool"] as const)("Kysely with %s", (way) => {
  async function withDb<T>(ctx: Context, use: (db: Kysely<Tables>) => Promise<T>): Promise<T> {
    const config = { connectionString: postgresUrl(), max: 1 };
    const pool = way === "bind" ? testPool(config) : new (contextPool(pg.Pool))(config);
    if (way === "contextPool") onTestFinished(() => pool.end());
    const db = new Kysely<Tables>({
      dialect: new PostgresDialect({
        pool: way === "bind" ? bind(ctx, pool) : pool,
        cursor: Cursor,
      }),
    });
    const result = await (way === "bind" ? use(db) : runWithContext(ctx, () => use(db)));
    await until(() => pool.idleCount === pool.totalCount);
    expectWhole(pool);
    return result;
  }

  test("a query stops on the server and rejects with ctx.err() when its context ends", async () => {
    using ctx = withCancel(background());
    const text = `select pg_sleep(60) ${mark()}`;
    await withDb(ctx, async (db) => {
      const query = failure(sql.raw(text).execute(db));
      await isRunning(look, text);
      ctx.cancel();
      expect(await query).toBe(ctx.err());
      expect(await look.running(text)).toBe(0);
    });
  });

  test("a transaction stops, is rolled back, and its connection is used again", async () => {
    const name = await table(look);
    using ctx = withCancel(background());
    const text = `select pg_sleep(60) ${mark()}`;
    await withDb(ctx, async (db) => {
      const done = failure(
        db.transaction().execute(async (trx) => {
          await trx.insertInto(name).values({ id: 1 }).execute();
          await sql.raw(text).execute(trx);
        }),
      );
      await isRunning(look, text);
      ctx.cancel();
      expect(await done).toBe(ctx.err());
    });
    expect(await idsIn(look, name)).toEqual([]);
  });

  test("a transaction whose context ends before its COMMIT is rolled back", async () => {
    const name = await table(look);
    using ctx = withCancel(background());
    await withDb(ctx, async (db) => {
      const done = failure(
        db.transaction().execute(async (trx) => {
          await trx.insertInto(name).values({ id: 1 }).execute();
          ctx.cancel();
        }),
      );
      expect(await done).toBe(ctx.err());
    });
    expect(await idsIn(look, name)).toEqual([]);
  });

  test("a controlled transaction rolls back to its savepoint and then rolls back", async () => {
    const name = await table(look);
    using ctx = withCancel(background());
    const text = `select pg_sleep(60) ${mark()}`;
    await withDb(ctx, async (db) => {
      const trx = await db.startTransaction().execute();
      await trx.insertInto(name).values({ id: 1 }).execute();
      const nested = await trx.savepoint("a").execute();
      const slow = failure(sql.raw(text).execute(nested));
      await isRunning(look, text);
      ctx.cancel();
      expect(await slow).toBe(ctx.err());
      const outer = await nested.rollbackToSavepoint("a").execute();
      expect(await failure(outer.commit().execute())).toBe(ctx.err());
      await outer.rollback().execute();
    });
    expect(await idsIn(look, name)).toEqual([]);
  });

  test("a stream stops while the server works on its next rows", async () => {
    using ctx = withCancel(background());
    const text = `select i, case when i > 4 then pg_sleep(60) end from generate_series(1, 9) i ${mark()}`;
    await withDb(ctx, async (db) => {
      const seen: unknown[] = [];
      const query = sql.raw<{ i: number }>(text).$castTo<{ i: number }>();
      const reading = failure(
        (async () => {
          for await (const row of db.getExecutor().stream(query.compile(db), 2)) {
            seen.push(...row.rows);
          }
        })(),
      );
      await until(async () => seen.length === 4 && (await look.running(text)) === 1);
      ctx.cancel();
      expect(await reading).toBe(ctx.err());
      expect(await look.running(text)).toBe(0);
    });
  });

  test("a stream whose context ends between reads returns its connection", async () => {
    using ctx = withCancel(background());
    const name = await table(look);
    await look.query(`insert into ${name} select generate_series(1, 100)`);
    await withDb(ctx, async (db) => {
      let n = 0;
      const reading = failure(
        (async () => {
          for await (const _ of db.selectFrom(name).selectAll().stream(10)) {
            if (++n === 10) ctx.cancel();
          }
        })(),
      );
      expect(await reading).toBe(ctx.err());
      expect(n).toBe(10);
    });
  });

  test("a wait for a connection rejects when the context ends", async () => {
    using ctx = withCancel(background());
    await withDb(ctx, async (db) => {
      let release: (() => void) | undefined;
      const held = db.connection().execute(() => new Promise<void>((end) => (release = end)));
      await until(() => release !== undefined);
      const waiting = failure(db.selectFrom("nosuch").selectAll().execute());
      ctx.cancel();
      expect(await waiting).toBe(ctx.err());
      release?.();
      await held;
    });
  });
});

test("destroying a Kysely instance over bind leaves the pool open", async () => {
  const pool = testPool({ max: 1 });
  const db = new Kysely<Tables>({
    dialect: new PostgresDialect({ pool: bind(background(), pool) }),
  });
  await sql`select 1`.execute(db);
  await db.destroy();
  expect((await pool.query("select 1 as n")).rows).toEqual([{ n: 1 }]);
});

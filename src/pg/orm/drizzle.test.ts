import { drizzle } from "drizzle-orm/node-postgres";
import { DrizzleQueryError, sql } from "drizzle-orm";
import { integer, pgTable } from "drizzle-orm/pg-core";
import pg from "pg";
import { beforeEach, describe, expect, expectTypeOf, onTestFinished, test, vi } from "vitest";
import { background, isCanceled, withCancel, type Context } from "../../index.ts";
import {
  mark,
  observer,
  postgresUrl,
  testClient,
  testPool,
  type Observer,
} from "../../../test/support/postgres.ts";
import { expectWhole, failure, idsIn, isRunning, table } from "../../../test/support/orms.ts";
import { runWithContext } from "../../current/index.ts";
import { bind, contextPool } from "../index.ts";

vi.setConfig({ testTimeout: 60_000, hookTimeout: 60_000 });

let look: Observer;
beforeEach(async () => {
  look = await observer();
});

describe.each(["bind", "contextPool"] as const)("Drizzle with %s", (way) => {
  /** Calls `use` with a Drizzle database that is bound to `ctx`, over a pool of one connection. */
  async function withDb<T>(
    ctx: Context,
    use: (db: ReturnType<typeof drizzle>) => Promise<T>,
  ): Promise<T> {
    const config = { connectionString: postgresUrl(), max: 1 };
    const pool = way === "bind" ? testPool(config) : new (contextPool(pg.Pool))(config);
    if (way === "contextPool") onTestFinished(() => pool.end());
    const result = await (way === "bind"
      ? use(drizzle(bind(ctx, pool)))
      : runWithContext(ctx, () => use(drizzle(pool))));
    expectWhole(pool);
    return result;
  }

  test("a query stops on the server when its context ends", async () => {
    using ctx = withCancel(background());
    const text = `select pg_sleep(60) ${mark()}`;
    await withDb(ctx, async (db) => {
      const query = failure(db.execute(sql.raw(text)));
      await isRunning(look, text);
      ctx.cancel();
      const error = await query;
      expect(error).toBeInstanceOf(DrizzleQueryError);
      expect((error as Error).cause).toBe(ctx.err());
      expect(isCanceled(error)).toBe(true);
      expect(await look.running(text)).toBe(0);
    });
  });

  test("a transaction stops, is rolled back, and its connection is used again", async () => {
    const name = await table(look);
    const orders = pgTable(name, { id: integer().primaryKey() });
    using ctx = withCancel(background());
    const text = `select pg_sleep(60) ${mark()}`;
    await withDb(ctx, async (db) => {
      const done = failure(
        db.transaction(async (tx) => {
          await tx.insert(orders).values({ id: 1 });
          expect(await tx.select().from(orders)).toEqual([{ id: 1 }]);
          await tx.execute(sql.raw(text));
        }),
      );
      await isRunning(look, text);
      ctx.cancel();
      const error = await done;
      expect((error as Error).cause).toBe(ctx.err());
      expect(isCanceled(error)).toBe(true);
    });
    expect(await idsIn(look, name)).toEqual([]);
  });

  test("a nested transaction stops, and the outer one is rolled back too", async () => {
    const name = await table(look);
    const orders = pgTable(name, { id: integer().primaryKey() });
    using ctx = withCancel(background());
    const text = `select pg_sleep(60) ${mark()}`;
    await withDb(ctx, async (db) => {
      const done = failure(
        db.transaction(async (tx) => {
          await tx.insert(orders).values({ id: 1 });
          await tx.transaction(async (inner) => {
            await inner.insert(orders).values({ id: 2 });
            await inner.execute(sql.raw(text));
          });
        }),
      );
      await isRunning(look, text);
      ctx.cancel();
      expect(isCanceled(await done)).toBe(true);
    });
    expect(await idsIn(look, name)).toEqual([]);
  });

  test("a transaction whose context ends before its COMMIT is rolled back", async () => {
    const name = await table(look);
    const orders = pgTable(name, { id: integer().primaryKey() });
    using ctx = withCancel(background());
    await withDb(ctx, async (db) => {
      const done = failure(
        db.transaction(async (tx) => {
          await tx.insert(orders).values({ id: 1 });
          ctx.cancel();
        }),
      );
      expect(isCanceled(await done)).toBe(true);
    });
    expect(await idsIn(look, name)).toEqual([]);
  });

  test("a transaction whose context stays live commits", async () => {
    const name = await table(look);
    const orders = pgTable(name, { id: integer().primaryKey() });
    await withDb(background(), (db) =>
      db.transaction(async (tx) => {
        await tx.insert(orders).values({ id: 1 });
        await tx.transaction((inner) => inner.insert(orders).values({ id: 2 }));
      }),
    );
    expect(await idsIn(look, name)).toEqual([1, 2]);
  });
});

test("Drizzle on a bound client stops its query, and the client works on", async () => {
  const client = await testClient();
  using ctx = withCancel(background());
  const text = `select pg_sleep(60) ${mark()}`;
  const db = drizzle(bind(ctx, client));
  const query = failure(db.execute(sql.raw(text)));
  await isRunning(look, text);
  ctx.cancel();
  expect(isCanceled(await query)).toBe(true);
  expect((await client.query("select 1 as n")).rows).toEqual([{ n: 1 }]);
});

test("Drizzle takes a bound pool without a type cast", () => {
  const type = (ctx: Context, pool: pg.Pool) => drizzle({ client: bind(ctx, pool) });
  expectTypeOf(type).returns.toHaveProperty("$client").toEqualTypeOf<pg.Pool>();
});

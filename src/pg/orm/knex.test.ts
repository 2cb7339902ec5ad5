import knex, { type Knex } from "knex";
import { beforeEach, describe, expect, onTestFinished, test, vi } from "vitest";
import pg from "pg";
import { background, isCanceled, sleep, withCancel, type Context } from "../../index.ts";
import {
  mark,
  observer,
  postgresUrl,
  testPool,
  until,
  type Observer,
} from "../../../test/support/postgres.ts";
import { expectWhole, failure, idsIn, isRunning, table } from "../../../test/support/orms.ts";
import { runWithoutContext, runWithContext } from "../../current/index.ts";
import { bind, contextPool } from "../index.ts";

vi.setConfig({ testTimeout: 60_000, hookTimeout: 60_000 });

let look: Observer;
beforeEach(async () => {
  look = await observer();
});

test("Knex with its own pool over a contextPool: a transaction stops and is rolled back", async () => {
  const name = await table(look);
  const pool = new (contextPool(pg.Pool))({ connectionString: postgresUrl(), max: 1 });
  onTestFinished(() => pool.end());
  const db = knex({ client: "pg", connection: {}, pool: { min: 0, max: 1 } });
  Object.assign(db.client as object, {
    // Not for whoever happens to need a new one first.
    acquireRawConnection: () => runWithoutContext(() => pool.connect()),
    destroyRawConnection: async (connection: pg.PoolClient) => connection.release(true),
  });
  for (let round = 0; round < 2; round++) {
    using ctx = withCancel(background());
    const text = `select pg_sleep(60) ${mark()}`;
    const done = runWithContext(ctx, () =>
      failure(
        db.transaction(async (trx) => {
          await trx(name).insert({ id: 1 });
          await trx.raw(text);
        }),
      ),
    );
    await isRunning(look, text);
    ctx.cancel();
    expect(await done).toBe(ctx.err());
    expect(await idsIn(look, name)).toEqual([]);
    const late = runWithContext(ctx, () => failure(db(name).insert({ id: 1 })));
    expect(await late).toBe(ctx.err());
  }
  expect(pool.totalCount).toBe(1);
  await db.destroy();
});

test("a query that is awaited outside of its run has begun inside", async () => {
  const pool = new (contextPool(pg.Pool))({ connectionString: postgresUrl(), max: 1 });
  onTestFinished(() => pool.end());
  const db = knex({ client: "pg", connectionPool: pool });
  using ctx = withCancel(background());
  const text = `select pg_sleep(60) ${mark()}`;
  const query = failure(runWithContext(ctx, () => db.raw(text)));
  await isRunning(look, text);
  ctx.cancel();
  expect(await query).toBe(ctx.err());
  expectWhole(pool);
});

describe.each(["bind", "contextPool"] as const)("Knex with %s", (way) => {
  async function withDb<T>(ctx: Context, use: (db: Knex) => Promise<T>): Promise<T> {
    const config = { connectionString: postgresUrl(), max: 1 };
    const pool = way === "bind" ? testPool(config) : new (contextPool(pg.Pool))(config);
    if (way === "contextPool") onTestFinished(() => pool.end());
    const db = knex({
      client: "pg",
      connectionPool: way === "bind" ? bind(ctx, pool) : pool,
      log: { warn: () => undefined }, // it warns of a wait that was ended
    });
    const result = await (way === "bind" ? use(db) : runWithContext(ctx, () => use(db)));
    await until(() => pool.idleCount === pool.totalCount);
    expectWhole(pool);
    return result;
  }

  test("a query stops on the server, and rejects with the context's own error", async () => {
    using ctx = withCancel(background());
    const text = `select pg_sleep(60) ${mark()}`;
    await withDb(ctx, async (db) => {
      const query = failure(db.raw(text));
      await isRunning(look, text);
      ctx.cancel();
      expect(await query).toBe(ctx.err());
      expect(isCanceled(ctx.err())).toBe(true);
      expect(await look.running(text)).toBe(0);
    });
  });

  test("a transaction stops, is rolled back, and its connection is used again", async () => {
    const name = await table(look);
    using ctx = withCancel(background());
    const text = `select pg_sleep(60) ${mark()}`;
    await withDb(ctx, async (db) => {
      const done = failure(
        db.transaction(async (trx) => {
          await trx(name).insert({ id: 1 });
          await trx.raw(text);
        }),
      );
      await isRunning(look, text);
      ctx.cancel();
      expect(await done).toBe(ctx.err());
    });
    expect(await idsIn(look, name)).toEqual([]);
  });

  test("a nested transaction stops, and all of it is rolled back", async () => {
    const name = await table(look);
    using ctx = withCancel(background());
    const text = `select pg_sleep(60) ${mark()}`;
    await withDb(ctx, async (db) => {
      const done = failure(
        db.transaction(async (trx) => {
          await trx(name).insert({ id: 1 });
          await trx.transaction(async (inner) => {
            await inner(name).insert({ id: 2 });
            await inner.raw(text);
          });
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
        db.transaction(async (trx) => {
          await trx(name).insert({ id: 1 });
          ctx.cancel();
        }),
      );
      expect(await done).toBe(ctx.err());
    });
    expect(await idsIn(look, name)).toEqual([]);
  });

  test("a wait for a connection ends with the context", async () => {
    using ctx = withCancel(background());
    await withDb(ctx, async (db) => {
      const trx = await db.transaction();
      const waiting = failure(db.raw("select 1"));
      await sleep(background(), 20);
      ctx.cancel();
      expect(await waiting).toBe(ctx.err());
      await trx.rollback();
    });
  });
});

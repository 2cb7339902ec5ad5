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

test("Knex with a pool of its own over a context pool stops a transaction and rolls it back", async () => {
  const name = await table(look);
  const pool = new (contextPool(pg.Pool))({ connectionString: postgresUrl(), max: 1 });
  onTestFinished(() => pool.end());
  const db = knex({ client: "pg", connection: {}, pool: { min: 0, max: 1 } });
  Object.assign(db.client as object, {
    // Without a context: the connection must not belong to the request that needs it first.
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

test("a Knex query that runWithContext returns has started under that context", async () => {
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
      log: { warn: () => undefined }, // Knex warns when a wait for a connection has ended
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

  test("a nested transaction stops, and the outer one is rolled back too", async () => {
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

  test("a wait for a connection rejects when the context ends", async () => {
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

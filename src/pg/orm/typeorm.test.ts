import pg from "pg";
import { DataSource, EntitySchema, EntitySchemaOptions, QueryFailedError } from "typeorm";
import { beforeEach, expect, onTestFinished, test, vi } from "vitest";
import { background, isCanceled, sleep, withCancel } from "../../index.ts";
import {
  mark,
  observer,
  postgresUrl,
  until,
  type Observer,
} from "../../../test/support/postgres.ts";
import { expectWhole, failure, idsIn, isRunning, table } from "../../../test/support/orms.ts";
import { runWithContext } from "../../current/index.ts";
import { contextPool } from "../index.ts";

vi.setConfig({ testTimeout: 60_000, hookTimeout: 60_000 });

let look: Observer;
beforeEach(async () => {
  look = await observer();
});

/** A DataSource with a pool of one connection, and the name of its table for the entity "order". */
async function dataSource(): Promise<{ db: DataSource; pool: pg.Pool; name: string }> {
  const name = await table(look);
  const db = new DataSource({
    type: "postgres",
    driver: { ...pg, Pool: contextPool(pg.Pool) },
    url: postgresUrl(),
    poolSize: 1,
    entities: [
      new EntitySchema(
        Object.assign(new EntitySchemaOptions<{ id: number }>(), {
          name: "order",
          tableName: name,
          columns: { id: { type: Number, primary: true } },
        }),
      ),
    ],
  });
  await db.initialize();
  onTestFinished(() => db.destroy());
  return { db, pool: (db.driver as unknown as { master: pg.Pool }).master, name };
}

test("a TypeORM query stops on the server when its context ends", async () => {
  const { db, pool } = await dataSource();
  using ctx = withCancel(background());
  const text = `select pg_sleep(60) ${mark()}`;
  const query = runWithContext(ctx, () => failure(db.query(text)));
  await isRunning(look, text);
  ctx.cancel();
  const error = await query;
  expect(error).toBeInstanceOf(QueryFailedError);
  expect((error as QueryFailedError).driverError).toBe(ctx.err());
  expect(isCanceled(error)).toBe(false); // there is no cause
  expect(isCanceled((error as QueryFailedError).driverError)).toBe(true);
  expect(await look.running(text)).toBe(0);
  expectWhole(pool);
});

test("a TypeORM transaction stops, is rolled back, and its connection is used again", async () => {
  const { db, pool, name } = await dataSource();
  using ctx = withCancel(background());
  const text = `select pg_sleep(60) ${mark()}`;
  const done = runWithContext(ctx, () =>
    failure(
      db.transaction(async (manager) => {
        await manager.insert("order", { id: 1 });
        expect(await manager.find("order")).toEqual([{ id: 1 }]);
        await manager.query(text);
      }),
    ),
  );
  await isRunning(look, text);
  ctx.cancel();
  expect(await done).toMatchObject({ driverError: ctx.err() });
  expectWhole(pool);
  expect(await idsIn(look, name)).toEqual([]);
});

test("a nested TypeORM transaction stops, and the outer one is rolled back too", async () => {
  const { db, pool, name } = await dataSource();
  using ctx = withCancel(background());
  const text = `select pg_sleep(60) ${mark()}`;
  const done = runWithContext(ctx, () =>
    failure(
      db.transaction(async (manager) => {
        await manager.insert("order", { id: 1 });
        await manager.transaction(async (inner) => {
          await inner.insert("order", { id: 2 });
          await inner.query(text);
        });
      }),
    ),
  );
  await isRunning(look, text);
  ctx.cancel();
  expect(await done).toMatchObject({ driverError: ctx.err() });
  expectWhole(pool);
  expect(await idsIn(look, name)).toEqual([]);
});

test("a TypeORM transaction whose context ends before its COMMIT is rolled back", async () => {
  const { db, pool, name } = await dataSource();
  using ctx = withCancel(background());
  const done = runWithContext(ctx, () =>
    failure(
      db.transaction(async (manager) => {
        await manager.insert("order", { id: 1 });
        ctx.cancel();
      }),
    ),
  );
  expect(await done).toMatchObject({ driverError: ctx.err() });
  expectWhole(pool);
  expect(await idsIn(look, name)).toEqual([]);
});

test("a wait for a connection of TypeORM rejects with ctx.err() when the context ends", async () => {
  const { db, pool } = await dataSource();
  using ctx = withCancel(background());
  const holder = db.createQueryRunner();
  await holder.connect();
  const waiting = runWithContext(ctx, () => failure(db.query("select 1")));
  await until(() => pool.waitingCount === 1);
  ctx.cancel();
  expect(await waiting).toBe(ctx.err());
  await holder.release();
  await until(() => pool.waitingCount === 0);
  expectWhole(pool);
});

test("a TypeORM query that waited for a connection is not hit when the context of its last user ends", async () => {
  const { db, pool } = await dataSource();
  using first = withCancel(background());
  using second = withCancel(background());
  const text = `select pg_sleep(0.3) ${mark()}`;
  const a = runWithContext(first, () => db.query("select pg_sleep(0.1)"));
  await until(() => pool.idleCount === 0);
  const b = runWithContext(second, () => db.query(text));
  await a;
  await isRunning(look, text);
  first.cancel();
  await b;
  expectWhole(pool);
});

test("TypeORM without a context works as before", async () => {
  const { db, pool, name } = await dataSource();
  await db.transaction(async (manager) => {
    await manager.insert("order", { id: 1 });
    await sleep(background(), 1);
  });
  await expect(db.query("selekt")).rejects.toMatchObject({ code: "42601" });
  expectWhole(pool);
  expect(await idsIn(look, name)).toEqual([1]);
});

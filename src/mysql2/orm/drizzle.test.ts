import { DrizzleQueryError, sql } from "drizzle-orm";
import { drizzle } from "drizzle-orm/mysql2";
import { int, mysqlTable } from "drizzle-orm/mysql-core";
import type { Pool } from "mysql2";
import promises from "mysql2/promise";
import { beforeEach, expect, expectTypeOf, onTestFinished, test } from "vitest";
import { background, isCanceled, withCancel, type Context } from "../../index.ts";
import {
  describeOrm,
  firstOf,
  withCurrent,
  type Queries,
} from "../../../test/support/mysql/orm-suite.ts";
import {
  callbackPool,
  expectWhole,
  idsIn,
  isRunning,
  PATIENT,
  promisePool,
  table,
} from "../../../test/support/mysql/orms.ts";
import {
  describeServers,
  mark,
  observer,
  type Observer,
} from "../../../test/support/mysql/servers.ts";
import { failure } from "../../../test/support/orms.ts";
import { overrideMethods } from "../../adapter/orm/override-methods.ts";
import { bind } from "../index.ts";

type Db = Pick<ReturnType<typeof drizzle>, "execute" | "transaction">;

const queriesOf = (db: Db): Queries => ({
  one: async (text) => firstOf((await db.execute(sql.raw(text)))[0]),
  transaction: (fn) => db.transaction((tx) => fn(queriesOf(tx))),
});

function unwrap(error: unknown): unknown {
  return error instanceof DrizzleQueryError ? error.cause : error;
}

describeOrm({
  name: "Drizzle with bind",
  nests: true,
  open: (pool) => ({
    within: (ctx, use) =>
      use(queriesOf(drizzle(bind(ctx, pool, PATIENT)))).catch((error: unknown) => {
        throw unwrap(error);
      }),
  }),
});

describeOrm({
  name: "Drizzle with contextPool, by promises",
  nests: true,
  isBrief: true,
  open: withCurrent((pool) => queriesOf(drizzle(pool.promise())), unwrap),
});

describeServers("Drizzle on mysql2", (server) => {
  let look: Observer;
  beforeEach(async () => {
    look = await observer(server.url());
  });

  test("wraps ctx.err(), which isCanceled finds", async () => {
    const pool = promisePool(server);
    using ctx = withCancel(background());
    const text = `select sleep(60) ${mark()}`;
    const query = failure(drizzle(bind(ctx, pool, PATIENT)).execute(sql.raw(text)));
    await isRunning(look, text);
    ctx.cancel();
    const error = await query;
    expect(error).toBeInstanceOf(DrizzleQueryError);
    expect((error as Error).cause).toBe(ctx.err());
    expect(isCanceled(error)).toBe(true);
  });

  test("maps the rows of its tables", async () => {
    const name = await table(server, look);
    const orders = mysqlTable(name, { id: int().primaryKey() });
    const db = drizzle(bind(background(), promisePool(server)));
    await db.insert(orders).values([{ id: 1 }, { id: 2 }]);
    expect(await db.select().from(orders).orderBy(orders.id)).toEqual([{ id: 1 }, { id: 2 }]);
    expect(await db.$count(orders)).toBe(2);
  });

  test("releases the connection of a transaction with an isolation level whose context is done", async () => {
    const pool = promisePool(server);
    using ctx = withCancel(background());
    const bound = bind(ctx, pool, PATIENT);
    const getConnection = async (): Promise<promises.PoolConnection> => {
      const connection = await bound.getConnection();
      ctx.cancel();
      return connection;
    };
    const db = drizzle(overrideMethods(bound, { getConnection }));
    const done = failure(db.transaction(async () => 1, { isolationLevel: "serializable" }));
    expect(isCanceled(await done)).toBe(true);
    await expectWhole(pool);
  });

  test("reads the rows of an iterator, and stops it when the context ends", async () => {
    const name = await table(server, look);
    await look.query(`insert into ${name} select seq from numbers where seq <= 100`);
    const orders = mysqlTable(name, { id: int().primaryKey() });
    const pool = promisePool(server);
    using ctx = withCancel(background());
    const db = drizzle(bind(ctx, pool, PATIENT));
    const seen: unknown[] = [];
    const query = db.select({ id: orders.id, s: sql`if(${orders.id} > 5, sleep(60), 0)` });
    const rows = query.from(orders).orderBy(orders.id).prepare().iterator();
    const reading = failure(
      (async () => {
        for await (const row of rows) seen.push(row);
      })(),
    );
    await isRunning(look, name);
    ctx.cancel();
    expect(await reading).toBe(ctx.err());
    await expectWhole(pool);
    expect(await look.running(name)).toBe(0);
  });

  test("on a bound connection stops its query, and the connection works on", async () => {
    const connection = await promises.createConnection(server.url());
    onTestFinished(() => connection.destroy());
    const name = await table(server, look);
    using ctx = withCancel(background());
    const text = `select sleep(60) ${mark()}`;
    const query = failure(
      drizzle(bind(ctx, connection, PATIENT)).transaction(async (tx) => {
        await tx.execute(sql.raw(`insert into ${name} values (1)`));
        await tx.execute(sql.raw(text));
      }),
    );
    await isRunning(look, text);
    ctx.cancel();
    expect(isCanceled(await query)).toBe(true);
    expect(await connection.query("select 1 as n")).toMatchObject([[{ n: 1 }], {}]);
    expect(await idsIn(look, name)).toEqual([]);
  });

  test("takes a bound pool without a type cast", () => {
    const type = (ctx: Context, pool: Pool) => drizzle({ client: bind(ctx, pool, PATIENT) });
    expectTypeOf(type).returns.toHaveProperty("$client").toEqualTypeOf<Pool>();
    expect(type(background(), callbackPool(server)).$client).toBeDefined();
  });
});

/** ORMs on mysql2, over a pool that is built on the rules in src/adapter/orm. */
import { DrizzleQueryError, sql } from "drizzle-orm";
import { drizzle } from "drizzle-orm/mysql2";
import { Kysely, MysqlDialect, sql as ksql } from "kysely";
import mysql, { type Pool, type PoolConnection } from "mysql2";
import { beforeEach, expect, onTestFinished, test, vi } from "vitest";
import { background, stopped, withCancel, withLedger, type Context } from "../src/index.ts";
import { bindMysql2 } from "./support/mysql/bound-pool.ts";
import {
  addressOf,
  describeServers,
  mark,
  observer,
  sequence,
  until,
  urlAt,
  type Observer,
} from "./support/mysql/servers.ts";
import { failure } from "./support/orms.ts";
import { startProxy } from "./support/proxy.ts";
import { CANCELS, race, unhandledRejections } from "./support/race.ts";
import { cancelAtEveryStep, mysqlPackets, startRelay } from "./support/steps.ts";

vi.setConfig({ testTimeout: 120_000 });

const unhandled = unhandledRejections();

interface Queries {
  one(text: string): Promise<unknown>;
  transaction<T>(fn: (one: Queries["one"]) => Promise<T>): Promise<T>;
}

/** Rethrows the error inside Drizzle's. */
function unwrap(error: unknown): never {
  throw error instanceof DrizzleQueryError ? error.cause : error;
}

const orms: Record<string, (ctx: Context, pool: Pool) => Queries> = {
  Drizzle(ctx, pool) {
    const db = drizzle(bindMysql2(ctx, pool));
    const sender =
      (on: Pick<typeof db, "execute">): Queries["one"] =>
      async (text) => {
        const [rows] = await on.execute(sql.raw(text)).catch(unwrap);
        return (rows as unknown as { i: unknown }[])[0]?.i;
      };
    return {
      one: sender(db),
      transaction: (fn) => db.transaction((tx) => fn(sender(tx))).catch(unwrap),
    };
  },
  Kysely(ctx, pool) {
    const db = new Kysely<object>({ dialect: new MysqlDialect({ pool: bindMysql2(ctx, pool) }) });
    const sender =
      (on: Kysely<object>): Queries["one"] =>
      async (text) =>
        (await ksql.raw<{ i: unknown }>(text).execute(on)).rows[0]?.i;
    return {
      one: sender(db),
      transaction: (fn) => db.transaction().execute((trx) => fn(sender(trx))),
    };
  },
};

/** Creates a pool that ends with the test. */
function createPool(max: number, uri: string): Pool {
  const pool = mysql.createPool({ uri, connectionLimit: max });
  onTestFinished(() => new Promise<void>((resolve) => pool.end(() => resolve())));
  return pool;
}

/** Expects that all connections are back in the pool. */
async function expectWhole(pool: Pool, total = 1): Promise<void> {
  const core = pool as unknown as Record<string, { length: number }>;
  await until(() => core["_freeConnections"]?.length === core["_allConnections"]?.length);
  expect(core["_allConnections"]?.length).toBe(total);
}

async function select(pool: Pool, text: string): Promise<Record<string, unknown>[]> {
  return (await pool.promise().query(text))[0] as Record<string, unknown>[];
}

function connect(pool: Pool): Promise<PoolConnection> {
  return new Promise((resolve, reject) => {
    pool.getConnection((error, connection) => (error ? reject(error) : resolve(connection)));
  });
}

/** Sends a statement by mysql2's callback. */
function send(connection: PoolConnection, text: string): Promise<unknown> {
  return new Promise((resolve, reject) => {
    connection.query(text, (error: unknown, rows: unknown) =>
      // eslint-disable-next-line @typescript-eslint/prefer-promise-reject-errors -- the driver's own
      error ? reject(error) : resolve(rows),
    );
  });
}

/** Returns a statement that takes about `seconds`, and fails if a KILL hits it. */
const compute = (i: number, seconds = 0.1): string =>
  `select ${i} as i, count(sha2(seq, 256)) as n from ${sequence(Math.ceil(seconds * 1_000_000))}`;

describeServers("an ORM on mysql2", (server) => {
  let look: Observer;
  beforeEach(async () => {
    look = await observer(server.url());
  });

  async function table(): Promise<string> {
    const name = `bound_${process.pid}_${Math.floor(performance.now() * 1000)}`;
    await look.query(`create table ${name} (id int primary key)`);
    onTestFinished(async () => void (await look.query(`drop table ${name}`)));
    return name;
  }
  async function ids(name: string): Promise<unknown[]> {
    const [rows] = await look.query(`select id from ${name} order by id`);
    return (rows as { id: unknown }[]).map(({ id }) => id);
  }

  test.each(Object.keys(orms))(
    "stops the statement of %s in a transaction, rolls back, and keeps the connection",
    async (orm) => {
      const pool = createPool(1, server.url());
      const name = await table();
      const [before] = await select(pool, "select connection_id() as id");
      using ctx = withCancel(withLedger(background()));
      const text = `select 1 as i, sleep(60) ${mark()}`;
      const slow = failure(
        orms[orm]!(ctx, pool).transaction(async (one) => {
          await one(`insert into ${name} values (1)`);
          return await one(text);
        }),
      );
      await until(async () => (await look.running(text)) === 1);
      ctx.cancel();
      expect(await slow).toBe(ctx.err());
      expect(await look.running(text)).toBe(0);
      await expectWhole(pool);
      expect(await select(pool, "select connection_id() as id")).toEqual([before]);
      expect(await select(pool, server.inTransaction)).toEqual([{ n: 0 }]);
      expect(await ids(name)).toEqual([]);
      expect((await stopped(ctx)).map(({ state }) => state)).toContain("stopped");
    },
  );

  test.each(Object.keys(orms))(
    "commits a transaction of %s as a whole or not at all, canceled at any packet",
    async (orm) => {
      const relay = await startRelay(addressOf(server), mysqlPackets);
      const pool = createPool(1, urlAt(server, relay));
      const name = await table();
      const before = await select(pool, "select connection_id() as id");
      const steps = await cancelAtEveryStep({
        relay,
        run: (ctx) =>
          orms[orm]!(ctx, pool).transaction(async (one) => {
            await one(`insert into ${name} values (1)`);
            await one(`insert into ${name} values (2)`);
          }),
        async check(outcome) {
          await expectWhole(pool);
          expect(await select(pool, "select connection_id() as id")).toEqual(before);
          expect(await ids(name)).toEqual("value" in outcome ? [1, 2] : []);
          await look.query(`truncate ${name}`);
        },
      });
      expect(steps.length).toBeGreaterThan(5);
    },
  );

  test("sends ROLLBACK in place of a COMMIT, if a statement before it is stopped while the COMMIT waits", async () => {
    const pool = createPool(1, server.url());
    const name = await table();
    using ctx = withCancel(background());
    const connection = await connect(bindMysql2(ctx, pool));
    await send(connection, "begin");
    await send(connection, `insert into ${name} values (1)`);
    // It fails if it is killed. MySQL's SLEEP() would end, and the INSERT would succeed.
    const text = `insert into ${name} select count(*) from numbers a, numbers b where sqrt(a.seq * b.seq) < 0 ${mark()}`;
    const slow = failure(send(connection, text));
    const commit = failure(
      new Promise<void>((resolve, reject) => {
        connection.commit((error) => (error ? reject(error) : resolve()));
      }),
    );
    await until(async () => (await look.running(text)) === 1);
    ctx.cancel();
    expect(await Promise.all([slow, commit])).toEqual([ctx.err(), ctx.err()]);
    connection.release();
    await expectWhole(pool);
    expect(await ids(name)).toEqual([]);
  });

  /** A pool of one connection, and a proxy that holds each KILL back for 150 milliseconds. */
  async function poolWithLateKills() {
    let kills = 0;
    const proxy = await startProxy(addressOf(server), {
      async onChunk(_, from, chunk) {
        if (from !== "client" || !chunk.includes("KILL QUERY")) return;
        kills++;
        await new Promise((resolve) => setTimeout(resolve, 150));
      },
    });
    const pool = createPool(1, urlAt(server, proxy));
    return { pool, kills: () => kills };
  }

  /** Runs statements of another caller for longer than a KILL is held back. */
  async function innocents(pool: Pool): Promise<void> {
    const end = performance.now() + 500;
    for (let i = 0; performance.now() < end; i++) {
      expect(await select(pool, compute(i))).toMatchObject([{ i }]);
    }
  }

  test.each(Object.keys(orms))(
    "hits no other statement of the pool if the KILL of %s arrives after its statement has ended",
    async (orm) => {
      const { pool, kills } = await poolWithLateKills();
      using ctx = withCancel(background());
      const text = `select 7 as i, sleep(0.1) ${mark()}`;
      const query = orms[orm]!(ctx, pool).one(text);
      await until(async () => (await look.running(text)) === 1);
      ctx.cancel();
      await Promise.all([
        query.catch((error: unknown) => expect(error).toBe(ctx.err())),
        innocents(pool),
      ]);
      expect(kills()).toBeGreaterThan(0);
    },
  );

  test.each(["before", "after"])(
    "hits no other statement of the pool if its connection is released %s the context ends, while a statement runs",
    async (order) => {
      const { pool } = await poolWithLateKills();
      using ctx = withCancel(background());
      const connection = await connect(bindMysql2(ctx, pool));
      const text = `select 7 as i, sleep(0.1) ${mark()}`;
      const query = failure(send(connection, text));
      await until(async () => (await look.running(text)) === 1);
      if (order === "before") connection.release();
      ctx.cancel();
      if (order === "after") connection.release();
      await innocents(pool);
      await query;
      await expectWhole(pool);
    },
  );

  test.each(Object.keys(orms))(
    `hits no other statement in ${Math.ceil(CANCELS / 5)} cancels of %s`,
    async (orm) => {
      const max = 3;
      const pool = createPool(max, server.url());
      const within = (ctx: Context): Queries => orms[orm]!(ctx, pool);
      await race({
        seed: orm.length,
        cancels: Math.ceil(CANCELS / 5),
        workers: 3 * max,
        guilty: (ctx, i, seconds) =>
          i % 2 === 0
            ? within(ctx).one(compute(i, seconds))
            : within(ctx).transaction((one) => one(compute(i, seconds))),
        innocent: (ctx, i) =>
          i % 3 === 0
            ? within(ctx).transaction((one) => one(compute(i, 0.0005)))
            : within(ctx).one(compute(i, 0.0005)),
      });
      await expectWhole(pool, max);
      expect(unhandled).toEqual([]);
    },
  );
});

/**
 * Many late cancels, inside and outside of transactions, of every ORM over few connections, among
 * innocent queries of the same ORM and pool: no victims, no connection lost, none left in a
 * transaction.
 */
import { PrismaPg } from "@prisma/adapter-pg";
import { DrizzleQueryError, sql } from "drizzle-orm";
import { drizzle } from "drizzle-orm/node-postgres";
import knex from "knex";
import { Kysely, PostgresDialect, sql as ksql } from "kysely";
import pg from "pg";
import { DataSource, QueryFailedError } from "typeorm";
import { expect, onTestFinished, test, vi } from "vitest";
import type { Context } from "../../index.ts";
import { observer, postgresUrl, until } from "../../../test/support/postgres.ts";
import { CANCELS, race, unhandledRejections } from "../../../test/support/race.ts";
import { generatePrisma } from "../../../test/support/prisma.ts";
import { runWithContext } from "../../current/index.ts";
import { bind, contextPool, prismaExtension } from "../index.ts";

vi.setConfig({ testTimeout: 600_000, hookTimeout: 60_000 });

const unhandled = unhandledRejections();

const cancels = Math.ceil(CANCELS / 5); // for each of the seven

/** Sends SQL that selects one integer `i`, and returns it. */
type Send = (text: string) => Promise<number>;

interface Orm {
  /** Calls `use` in the way in which the ORM is told of a context. */
  within: <T>(ctx: Context, use: (db: Asked) => Promise<T>) => Promise<T>;
  end?(): Promise<void>;
}
interface Asked {
  one: Send;
  transaction<T>(fn: (one: Send) => Promise<T>): Promise<T>;
}

const ofDrizzle = (db: ReturnType<typeof drizzle>): Asked => {
  const sender =
    (on: Pick<typeof db, "execute">): Send =>
    async (text) =>
      (await on.execute<{ i: number }>(sql.raw(text))).rows[0]!.i;
  return { one: sender(db), transaction: (fn) => db.transaction((tx) => fn(sender(tx))) };
};
const ofKysely = (db: Kysely<object>): Asked => {
  const sender =
    (on: Kysely<object>): Send =>
    async (text) =>
      (await ksql.raw<{ i: number }>(text).execute(on)).rows[0]!.i;
  return {
    one: sender(db),
    transaction: (fn) => db.transaction().execute((trx) => fn(sender(trx))),
  };
};
const all = (asked: Asked): Orm["within"] => {
  return (ctx, use) => runWithContext(ctx, () => use(asked));
};

const orms: Record<string, (pool: pg.Pool) => Promise<Orm>> = {
  "Drizzle, bind": async (pool) => ({
    within: (ctx, use) => use(ofDrizzle(drizzle(bind(ctx, pool)))),
  }),
  "Drizzle, contextPool": async (pool) => ({ within: all(ofDrizzle(drizzle(pool))) }),
  "Kysely, bind": async (pool) => ({
    within: (ctx, use) =>
      use(ofKysely(new Kysely({ dialect: new PostgresDialect({ pool: bind(ctx, pool) }) }))),
  }),
  "Kysely, contextPool": async (pool) => ({
    within: all(ofKysely(new Kysely({ dialect: new PostgresDialect({ pool }) }))),
  }),
  "Knex, contextPool": async (pool) => {
    const db = knex({ client: "pg", connectionPool: pool, log: { warn: () => undefined } });
    const sender =
      (on: typeof db): Send =>
      async (text) =>
        (await on.raw<{ rows: { i: number }[] }>(text)).rows[0]!.i;
    return {
      within: all({
        one: sender(db),
        transaction: (fn) => db.transaction((trx) => fn(sender(trx))),
      }),
    };
  },
  "TypeORM, contextPool": async (pool) => {
    // A DataSource makes its own pool; this test wants to look at it.
    const Pool = new Proxy(pg.Pool, { construct: () => pool });
    const db = await new DataSource({
      type: "postgres",
      driver: { ...pg, Pool },
    }).initialize();
    const sender =
      (on: Pick<DataSource, "query">): Send =>
      async (text) =>
        (await on.query<{ i: number }[]>(text))[0]!.i;
    return {
      within: all({
        one: sender(db),
        transaction: (fn) => db.transaction((manager) => fn(sender(manager))),
      }),
    };
  },
  "Prisma, contextPool": async (pool) => {
    const { PrismaClient, remove } = await generatePrisma("nosuch");
    const db = new PrismaClient({ adapter: new PrismaPg(pool) }).$extends(prismaExtension);
    const sender =
      (on: { $queryRawUnsafe(text: string): Promise<unknown> }): Send =>
      async (text) =>
        ((await on.$queryRawUnsafe(text)) as { i: number }[])[0]!.i;
    return {
      within: all({
        one: sender(db),
        transaction: (fn) => db.$transaction((tx) => fn(sender(tx))),
      }),
      end: () => db.$disconnect().then(remove),
    };
  },
};

/** What the ORM made of the context's error; docs/orms.md says so. */
function unwrapped(error: unknown): unknown {
  if (error instanceof DrizzleQueryError) return error.cause;
  if (error instanceof QueryFailedError) return error.driverError;
  return error;
}

test.each(Object.keys(orms))(`%s: ${cancels} cancels make no victim`, async (name) => {
  const max = 4;
  const application = `victims ${process.pid} ${name}`;
  const pool = new (contextPool(pg.Pool))({
    connectionString: postgresUrl(),
    application_name: application,
    max,
  });
  const pids = new Set<number>();
  pool.on("connect", (client) => pids.add((client as unknown as { processID: number }).processID));
  const orm = await orms[name]!(pool);
  onTestFinished(async () => {
    await orm.end?.();
    await pool.end().catch(() => undefined); // TypeORM may have
  });
  const select = (i: number, seconds: number): string =>
    `select ${i} as i, pg_sleep(${seconds})::text`;
  await race({
    seed: name.length,
    cancels,
    workers: 3 * max,
    guilty: (ctx, i, seconds) =>
      orm
        .within(ctx, (db) =>
          i % 2 === 0
            ? db.one(select(i, seconds))
            : db.transaction(async (one) => {
                expect(await one(select(i, 0))).toBe(i);
                return one(select(i, seconds));
              }),
        )
        .catch((error: unknown) => {
          throw unwrapped(error);
        }),
    innocent: (ctx, i) =>
      orm.within(ctx, (db) =>
        i % 3 === 0 ? db.transaction((one) => one(select(i, 0.0005))) : db.one(select(i, 0.0005)),
      ),
  });
  await until(() => pool.waitingCount === 0 && pool.idleCount === pool.totalCount);
  expect(pids.size).toBe(pool.totalCount); // none was destroyed
  const look = await observer();
  const { rows } = await look.query<{ state: string }>(
    "select distinct state from pg_stat_activity where application_name = $1",
    [application.slice(0, 63)],
  );
  expect(rows).toEqual([{ state: "idle" }]); // and none is in a transaction
  expect(unhandled).toEqual([]);
});

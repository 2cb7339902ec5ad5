/**
 * Many late cancel requests of every ORM, inside and outside transactions, on few connections,
 * among other queries of the same ORM and pool. No other query is hit, and no connection is lost or
 * left inside a transaction.
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
import { generatePrisma, hasOtherPg } from "../../../test/support/prisma.ts";
import { runWithContext } from "../../current/index.ts";
import { bind, contextPool, prismaExtension } from "../index.ts";

vi.setConfig({ testTimeout: 600_000, hookTimeout: 60_000 });

const unhandled = unhandledRejections();

const cancels = Math.ceil(CANCELS / 5); // for each of the seven ORMs below

/** Sends SQL that selects one integer `i`, and resolves with it. */
type Send = (text: string) => Promise<number>;

interface Orm {
  /** Calls `use` with the ORM bound to `ctx`, or with `ctx` as the current context. */
  within: <T>(ctx: Context, use: (db: Queries) => Promise<T>) => Promise<T>;
  end?(): Promise<void>;
}
interface Queries {
  one: Send;
  transaction<T>(fn: (one: Send) => Promise<T>): Promise<T>;
}

const ofDrizzle = (db: ReturnType<typeof drizzle>): Queries => {
  const sender =
    (on: Pick<typeof db, "execute">): Send =>
    async (text) =>
      (await on.execute<{ i: number }>(sql.raw(text))).rows[0]!.i;
  return { one: sender(db), transaction: (fn) => db.transaction((tx) => fn(sender(tx))) };
};
const ofKysely = (db: Kysely<object>): Queries => {
  const sender =
    (on: Kysely<object>): Send =>
    async (text) =>
      (await ksql.raw<{ i: number }>(text).execute(on)).rows[0]!.i;
  return {
    one: sender(db),
    transaction: (fn) => db.transaction().execute((trx) => fn(sender(trx))),
  };
};
const withCurrent = (queries: Queries): Orm["within"] => {
  return (ctx, use) => runWithContext(ctx, () => use(queries));
};

const orms: Record<string, (pool: pg.Pool) => Promise<Orm>> = {
  "Drizzle, bind": async (pool) => ({
    within: (ctx, use) => use(ofDrizzle(drizzle(bind(ctx, pool, { onCancel: "reuse" })))),
  }),
  "Drizzle, contextPool": async (pool) => ({ within: withCurrent(ofDrizzle(drizzle(pool))) }),
  "Kysely, bind": async (pool) => ({
    within: (ctx, use) =>
      use(
        ofKysely(
          new Kysely({
            dialect: new PostgresDialect({ pool: bind(ctx, pool, { onCancel: "reuse" }) }),
          }),
        ),
      ),
  }),
  "Kysely, contextPool": async (pool) => ({
    within: withCurrent(ofKysely(new Kysely({ dialect: new PostgresDialect({ pool }) }))),
  }),
  "Knex, contextPool": async (pool) => {
    const db = knex({ client: "pg", connectionPool: pool, log: { warn: () => undefined } });
    const sender =
      (on: typeof db): Send =>
      async (text) =>
        (await on.raw<{ rows: { i: number }[] }>(text)).rows[0]!.i;
    return {
      within: withCurrent({
        one: sender(db),
        transaction: (fn) => db.transaction((trx) => fn(sender(trx))),
      }),
    };
  },
  "TypeORM, contextPool": async (pool) => {
    // A DataSource creates its own pool. This test needs access to it.
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
      within: withCurrent({
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
      within: withCurrent({
        one: sender(db),
        transaction: (fn) => db.$transaction((tx) => fn(sender(tx))),
      }),
      end: () => db.$disconnect().then(remove),
    };
  },
};

/** Returns the context's error from inside the ORM's error, as docs/orms.md describes. */
function unwrapped(error: unknown): unknown {
  if (error instanceof DrizzleQueryError) return error.cause;
  if (error instanceof QueryFailedError) return error.driverError;
  return error;
}

const names = Object.keys(orms).filter((name) => !name.startsWith("Prisma") || !hasOtherPg());

test.each(names)(`${cancels} late cancel requests of %s hit no other query`, async (name) => {
  const max = 4;
  const application = `victims ${process.pid} ${name}`;
  const pool = new (contextPool(pg.Pool, { onCancel: "reuse" }))({
    connectionString: postgresUrl(),
    application_name: application,
    max,
  });
  const pids = new Set<number>();
  pool.on("connect", (client) => pids.add((client as unknown as { processID: number }).processID));
  const orm = await orms[name]!(pool);
  onTestFinished(async () => {
    await orm.end?.();
    await pool.end().catch(() => undefined); // TypeORM may have ended it already
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
  expect(pids.size).toBe(pool.totalCount); // no connection was destroyed
  const look = await observer();
  const { rows } = await look.query<{ state: string }>(
    "select distinct state from pg_stat_activity where application_name = $1",
    [application.slice(0, 63)],
  );
  expect(rows).toEqual([{ state: "idle" }]); // no connection is inside a transaction
  expect(unhandled).toEqual([]);
});

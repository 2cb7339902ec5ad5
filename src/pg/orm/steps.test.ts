/** Transactions of ORMs that are canceled at every step: their effects, and the pool afterwards. */
import { PrismaPg } from "@prisma/adapter-pg";
import { DrizzleQueryError, sql } from "drizzle-orm";
import { drizzle } from "drizzle-orm/node-postgres";
import knex from "knex";
import { Kysely, PostgresDialect, sql as ksql } from "kysely";
import Cursor from "pg-cursor";
import pg from "pg";
import { DataSource, QueryFailedError } from "typeorm";
import { expect, onTestFinished, test, vi } from "vitest";
import type { Context } from "../../index.ts";
import { idsIn, table } from "../../../test/support/orms.ts";
import { observer, postgresUrl, until } from "../../../test/support/postgres.ts";
import { generatePrisma, hasOtherPg } from "../../../test/support/prisma.ts";
import { cancelAtEveryStep, postgresMessages, startRelay } from "../../../test/support/steps.ts";
import { runWithContext } from "../../current/index.ts";
import { bind, contextPool, prismaExtension } from "../index.ts";

vi.setConfig({ testTimeout: 120_000 });

type Work = (ctx: Context, step: (name: string) => void) => Promise<unknown>;
interface Setup {
  pool: pg.Pool;
  name: string;
}

/** Each inserts 1 and 2. If the ORM has nested transactions, it inserts 2 in one of them. */
const transactions: Record<string, (setup: Setup) => Promise<Work>> = {
  Drizzle: async ({ pool, name }) => {
    const insert = (id: number) => sql.raw(`insert into ${name} values (${id})`);
    return (ctx) =>
      drizzle(bind(ctx, pool)).transaction(async (tx) => {
        await tx.execute(insert(1));
        await tx.transaction((inner) => inner.execute(insert(2)));
      });
  },
  Kysely: async ({ pool, name }) => {
    const insert = (id: number) => ksql.raw(`insert into ${name} values (${id})`);
    return (ctx) =>
      new Kysely<object>({ dialect: new PostgresDialect({ pool: bind(ctx, pool) }) })
        .transaction()
        .execute(async (trx) => {
          await insert(1).execute(trx);
          await insert(2).execute(trx);
        });
  },
  Knex: async ({ pool, name }) => {
    const db = knex({ client: "pg", connectionPool: pool, log: { warn: () => undefined } });
    await db.raw("select 1"); // Knex asks for the server's version once
    return (ctx) =>
      runWithContext(ctx, () =>
        db.transaction(async (trx) => {
          await trx(name).insert({ id: 1 });
          await trx.transaction(async (inner) => void (await inner(name).insert({ id: 2 })));
        }),
      );
  },
  TypeORM: async ({ pool, name }) => {
    const Pool = new Proxy(pg.Pool, { construct: () => pool });
    const db = new DataSource({ type: "postgres", driver: { ...pg, Pool } });
    await db.initialize();
    return (ctx) =>
      runWithContext(ctx, () =>
        db.transaction(async (manager) => {
          await manager.query(`insert into ${name} values (1)`);
          await manager.transaction((inner) => inner.query(`insert into ${name} values (2)`));
        }),
      );
  },
  Prisma: async ({ pool, name }) => {
    const { PrismaClient, remove } = await generatePrisma(name);
    const db = new PrismaClient({ adapter: new PrismaPg(pool) }).$extends(prismaExtension);
    onTestFinished(() => db.$disconnect().then(remove));
    await db.$connect();
    return (ctx) =>
      runWithContext(ctx, () =>
        db.$transaction(async (tx) => {
          await tx.$executeRawUnsafe(`insert into ${name} values (1)`);
          await tx.$executeRawUnsafe(`insert into ${name} values (2)`);
        }),
      );
  },
};

async function setUp(): Promise<Setup & { relay: Awaited<ReturnType<typeof startRelay>> }> {
  const look = await observer();
  const { hostname, port } = new URL(postgresUrl());
  const relay = await startRelay({ host: hostname, port: Number(port) }, postgresMessages);
  const pool = new (contextPool(pg.Pool))({ connectionString: postgresUrl(relay), max: 1 });
  pool.on("error", () => undefined);
  onTestFinished(() => pool.end().catch(() => undefined));
  return { pool, name: await table(look), relay };
}

const orms = Object.keys(transactions).filter((orm) => orm !== "Prisma" || !hasOtherPg());

test.each(orms)(
  "a transaction of %s that is canceled at any step is committed as a whole or not at all",
  async (orm) => {
    const { pool, name, relay } = await setUp();
    const look = await observer();
    const transaction = await transactions[orm]!({ pool, name });
    const steps = await cancelAtEveryStep({
      relay,
      run: (ctx, step) =>
        transaction(ctx, step).catch((error: unknown) => {
          if (error instanceof DrizzleQueryError) throw error.cause as Error;
          if (error instanceof QueryFailedError) throw error.driverError;
          throw error;
        }),
      async check(outcome) {
        await until(() => pool.waitingCount === 0 && pool.idleCount === pool.totalCount);
        expect((await pool.query("select 'next' as x")).rows).toEqual([{ x: "next" }]);
        expect(await idsIn(look, name)).toEqual("value" in outcome ? [1, 2] : []);
        await look.query(`truncate ${name}`);
      },
    });
    expect(steps.length).toBeGreaterThan(20);
  },
);

test("a stream of Kysely that is canceled at any step returns its connection", async () => {
  const { pool, relay } = await setUp();
  await pool.query("select 1");
  await cancelAtEveryStep({
    relay,
    async run(ctx, step) {
      const dialect = new PostgresDialect({ pool: bind(ctx, pool), cursor: Cursor });
      const db = new Kysely<object>({ dialect });
      const query = ksql<{ n: number }>`select n from generate_series(1, 7) n`.compile(db);
      const seen: number[] = [];
      for await (const { rows } of db.getExecutor().stream(query, 3)) {
        step("rows");
        seen.push(...rows.map((row) => row.n));
      }
      return seen;
    },
    async check(outcome) {
      await until(() => pool.waitingCount === 0 && pool.idleCount === pool.totalCount);
      expect((await pool.query("select 'next' as x")).rows).toEqual([{ x: "next" }]);
      if ("value" in outcome) expect(outcome.value).toEqual([1, 2, 3, 4, 5, 6, 7]);
    },
  });
});

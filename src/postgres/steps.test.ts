/**
 * Cancels an operation at every step. Its outcome must be right, and the pool and the server must be
 * as before.
 */
import { beforeEach, expect, onTestFinished, test } from "vitest";
import { observer, postgresUrl, until, type Observer } from "../../test/support/postgres.ts";
import { testSql, wholePool, type TestSql } from "../../test/support/postgresjs.ts";
import {
  cancelAtEveryStep,
  postgresMessages,
  startRelay,
  type Operation,
  type Outcome,
  type Relay,
} from "../../test/support/steps.ts";
import { withContext, type ContextDatabase } from "./index.ts";

let look: Observer;
let relay: Relay;
let sql: TestSql;
let db: ContextDatabase;
let table: string;
let before: number[];

beforeEach(async () => {
  look = await observer();
  const { hostname, port } = new URL(postgresUrl());
  relay = await startRelay({ host: hostname, port: Number(port) }, postgresMessages);
  sql = testSql({ max: 1 }, postgresUrl(relay));
  db = withContext(sql);
  table = `steps_${process.pid}_${Math.floor(performance.now() * 1000)}`;
  await look.query(`create table ${table} (n int)`);
  onTestFinished(async () => void (await look.query(`drop table ${table}`)));
  before = await wholePool(sql); // connects
});

function everyStep<T>(
  run: Operation<T>["run"],
  check: (outcome: Outcome<T>) => Promise<void> | void,
): Promise<string[]> {
  return cancelAtEveryStep({
    relay,
    run,
    async check(outcome) {
      expect(await sql`select 'next' as x`).toEqual([{ x: "next" }]);
      expect(await wholePool(sql), "one connection for all of it").toEqual(before);
      await until(async () => (await look.running(table)) === 0);
      await check(outcome);
      await look.query(`truncate ${table}`);
    },
  });
}

async function numbers(): Promise<number[]> {
  const { rows } = await look.query<{ n: number }>(`select n from ${table} order by n`);
  return rows.map((row) => row.n);
}

const insert = (n: number) => sql`insert into ${sql(table)} values (${n})`;

test("a query that is canceled at any step leaves its connection and the server usable", async () => {
  const steps = await everyStep(
    (ctx) =>
      db.query(ctx, sql`select ${7}::int as n, pg_sleep(0.02) ${sql.unsafe(`/* ${table} */`)}`),
    (outcome) => {
      if ("value" in outcome) expect(outcome.value).toMatchObject([{ n: 7 }]);
    },
  );
  const some = ["postgres.wait begins", "client: B", "server: D", "postgres.query ends"];
  expect(steps).toEqual(expect.arrayContaining(some));
});

test("a query of two statements that is canceled at any step leaves the connection usable", async () => {
  await everyStep(
    (ctx) => db.query(ctx, sql.unsafe(`insert into ${table} values (1); select pg_sleep(0.02)`)),
    async (outcome) => {
      if ("value" in outcome) expect(await numbers()).toEqual([1]);
    },
  );
});

test("a transaction with a savepoint that is canceled at any step commits all or nothing", async () => {
  await everyStep(
    (ctx) =>
      db.transaction(ctx, async (tx) => {
        await tx.query(ctx, insert(1));
        await tx
          .transaction(ctx, async (inner) => {
            await inner.query(ctx, insert(2));
            throw new Error("undo");
          })
          .catch((error: unknown) => {
            if ((error as Error).message !== "undo") throw error;
          });
        await tx.query(ctx, insert(3));
      }),
    async (outcome) => {
      expect(await numbers()).toEqual("value" in outcome ? [1, 3] : []);
    },
  );
});

test("a connection whose function is canceled at any step keeps no open transaction", async () => {
  await everyStep(
    (ctx) =>
      db.connection(ctx, async (own) => {
        await own.query(ctx, sql`begin`);
        await own.query(ctx, insert(1));
      }),
    async () => expect(await numbers()).toEqual([]),
  );
});

test("a stream that is canceled at any step leaves its connection usable", async () => {
  await everyStep(
    async (ctx, step) => {
      const rows: unknown[] = [];
      const query = sql`select g as n from generate_series(1, 5) g ${sql.unsafe(`/* ${table} */`)}`;
      for await (const row of db.stream(ctx, query, { rows: 2 })) {
        rows.push(row["n"]);
        step("a row");
      }
      return rows;
    },
    (outcome) => {
      if ("value" in outcome) expect(outcome.value).toEqual([1, 2, 3, 4, 5]);
    },
  );
});

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
  // The check compares connections, and `onCancel: "auto"` closes some.
  db = withContext(sql, { onCancel: "reuse" });
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

test("a query of two statements that is canceled at any step leaves the connection usable", async () => {
  await everyStep(
    (ctx) => db.query(ctx, sql.unsafe(`insert into ${table} values (1); select pg_sleep(0.02)`)),
    async (outcome) => {
      if ("value" in outcome) expect(await numbers()).toEqual([1]);
    },
  );
});

/** What the conformance kit does not cancel at every step. */
import type pg from "pg";
import { beforeEach, expect, onTestFinished, test } from "vitest";
import {
  observer,
  postgresUrl,
  testPool,
  until,
  type Observer,
} from "../../test/support/postgres.ts";
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
let pool: pg.Pool;
let db: ContextDatabase<pg.Pool>;
let table: string;
const pids = new Set<unknown>();

beforeEach(async () => {
  look = await observer();
  const { hostname, port } = new URL(postgresUrl());
  relay = await startRelay({ host: hostname, port: Number(port) }, postgresMessages);
  pool = testPool({ connectionString: postgresUrl(relay), max: 1 });
  pids.clear();
  pool.on("connect", (client) => pids.add((client as { processID?: unknown }).processID));
  // The check counts connections, and `onCancel: "auto"` closes some.
  db = withContext(pool, { onCancel: "reuse" });
  table = `steps_${process.pid}_${Math.floor(performance.now() * 1000)}`;
  await look.query(`create table ${table} (n int)`);
  onTestFinished(async () => void (await look.query(`drop table ${table}`)));
  await pool.query("select 1"); // connected
});

async function everyStep<T>(
  run: Operation<T>["run"],
  check: (outcome: Outcome<T>) => Promise<void> | void,
): Promise<string[]> {
  const steps = await cancelAtEveryStep({
    relay,
    run,
    async check(outcome) {
      await until(() => pool.waitingCount === 0 && pool.idleCount === pool.totalCount);
      expect((await pool.query("select 'next' as x")).rows).toEqual([{ x: "next" }]);
      expect(await look.running(table)).toBe(0);
      expect(pids.size, "one connection for all of it").toBe(1);
      await check(outcome);
      await look.query(`truncate ${table}`);
    },
  });
  return steps;
}

async function numbers(): Promise<number[]> {
  const { rows } = await look.query<{ n: number }>(`select n from ${table} order by n`);
  return rows.map((row) => row.n);
}

test("a query that is canceled at any step of its wait leaves the connection usable", async () => {
  await everyStep(
    async (ctx, step) => {
      const held = await pool.connect();
      const query = db.query(ctx, `insert into ${table} values (1) returning n`);
      query.catch(() => undefined);
      step("waiting");
      held.release();
      step("released");
      return await query;
    },
    async (outcome) => {
      if ("value" in outcome) expect(await numbers()).toEqual([1]);
    },
  );
});

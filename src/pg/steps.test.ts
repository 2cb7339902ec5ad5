/** Operations that are canceled at every step: their results, and the pool and the server afterwards. */
import type pg from "pg";
import { beforeEach, expect, onTestFinished, test } from "vitest";
import { background } from "../index.ts";
import {
  mark,
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
  db = withContext(pool);
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

test("a query that is canceled at any step has ended on the server, and its connection is used again", async () => {
  const steps = await everyStep(
    (ctx) => db.query(ctx, `select $1::int as n, pg_sleep(0.02) /* ${table} */`, [7]),
    (outcome) => {
      if ("value" in outcome) expect(outcome.value.rows[0]).toMatchObject({ n: 7 });
    },
  );
  expect(steps).toEqual(
    expect.arrayContaining([
      "pg.wait begins",
      "client: B",
      "server: D",
      "server: Z",
      "pg.query ends",
    ]),
  );
});

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

test("a transaction that is canceled at any step is committed as a whole or not at all", async () => {
  const steps = await everyStep(
    (ctx) =>
      db.transaction(ctx, async (tx) => {
        await tx.query(ctx, `insert into ${table} values ($1)`, [1]);
        await tx
          .transaction(ctx, async (inner) => {
            await inner.query(ctx, `insert into ${table} values (2)`);
            await inner.query(ctx, "select 1/0");
          })
          .catch((error: unknown) => {
            if ((error as { code?: unknown }).code !== "22012") throw error;
          });
        await tx.query(ctx, `insert into ${table} select 3 from pg_sleep(0.02)`);
        return "done";
      }),
    async (outcome) => {
      expect(await numbers()).toEqual("value" in outcome ? [1, 3] : []);
    },
  );
  expect(steps.filter((name) => name === "server: Z")).toHaveLength(9);
});

test("a stream that is canceled at any step has ended on the server, and its connection is used again", async () => {
  const all = Array.from({ length: 7 }, (_, i) => i + 1);
  const steps = await everyStep(
    async (ctx, step) => {
      const seen: number[] = [];
      const text = `select g as n /* ${table} */ from generate_series(1, 7) g`;
      for await (const { n } of db.stream<{ n: number }>(ctx, { text, rows: 3 })) {
        step(`row ${n}`);
        seen.push(n);
      }
      return seen;
    },
    (outcome) => {
      if ("value" in outcome) expect(outcome.value).toEqual(all);
    },
  );
  expect(steps).toEqual(expect.arrayContaining(["row 1", "server: s", "row 7"]));
});

test("a stream that is canceled at any step and whose loop is left has ended on the server", async () => {
  await everyStep(
    async (ctx, step) => {
      const text = `select g as n /* ${table} */ from generate_series(1, 7) g`;
      for await (const { n } of db.stream<{ n: number }>(ctx, { text, rows: 3 })) {
        step(`row ${n}`);
        if (n === 4) return n;
      }
      return 0;
    },
    (outcome) => {
      if ("value" in outcome) expect(outcome.value).toBe(4);
    },
  );
});

test("a connection that is canceled at any step is rolled back if it is left inside a transaction", async () => {
  const m = mark();
  await everyStep(
    (ctx) =>
      db.connection(ctx, async (own) => {
        await own.query(ctx, "begin");
        await own.query(ctx, `insert into ${table} values (1) ${m}`);
      }),
    async () => {
      expect(await numbers()).toEqual([]);
      const { rows } = await db.query(background(), "select 1 as one");
      expect(rows).toEqual([{ one: 1 }]);
    },
  );
});

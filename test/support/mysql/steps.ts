/** Cancels an operation at every packet, and checks the result, the pool and the server each time. */
import { beforeEach, expect, onTestFinished, test, vi } from "vitest";
import { describeMariadb, mariadbUrl, observer, until, type Observer } from "../mariadb.ts";
import {
  cancelAtEveryStep,
  mysqlPackets,
  startRelay,
  type Operation,
  type Outcome,
  type Relay,
} from "../steps.ts";
import type { Db, Row, TestDriver, TestPool } from "./driver.ts";

export function describeSteps(driver: TestDriver): void {
  vi.setConfig({ testTimeout: 120_000 });

  describeMariadb(`eightysix/${driver.name}, canceled at every packet,`, () => {
    let look: Observer;
    let relay: Relay;
    let pool: TestPool;
    let db: Db;
    let table: string;
    let id: unknown;

    const connectionId = async (): Promise<unknown> =>
      (await pool.query("select connection_id() as id"))[0]?.["id"];

    beforeEach(async () => {
      look = await observer();
      const url = new URL(mariadbUrl());
      const target = { host: url.hostname, port: Number(url.port || 3306) };
      relay = await startRelay(target, mysqlPackets);
      url.host = `${relay.host}:${relay.port}`;
      pool = driver.pool({ url: url.href, max: 1 });
      db = pool.db;
      table = `steps_${process.pid}_${Math.floor(performance.now() * 1000)}`;
      await look.query(`create table ${table} (n int)`);
      onTestFinished(async () => {
        await look.query(`drop table ${table}`);
      });
      id = await connectionId();
    });

    async function everyStep<T>(
      run: Operation<T>["run"],
      check: (outcome: Outcome<T>) => Promise<void> | void,
    ): Promise<void> {
      const steps = await cancelAtEveryStep({
        relay,
        run,
        async check(outcome) {
          await until(() => pool.waiting() === 0 && pool.idle() === pool.total());
          expect(await connectionId(), "the connection is still the same").toBe(id);
          const [open] = await pool.query("select @@in_transaction as n");
          expect(Number(open?.["n"])).toBe(0);
          expect(await look.running(table)).toBe(0);
          await check(outcome);
          await look.query(`truncate ${table}`);
        },
      });
      expect(steps.length).toBeGreaterThan(5);
    }

    async function numbers(): Promise<unknown[]> {
      const [rows] = await look.query(`select n from ${table} order by n`);
      return (rows as Row[]).map((row) => row["n"]);
    }

    test.each(["query", "execute"] as const)(
      "ends a statement of `%s` with a right result or with ctx.err()",
      async (method) => {
        await everyStep(
          (ctx) => db[method](ctx, `select ? as n, sleep(0.02) /* ${table} */`, [7]),
          (outcome) => {
            if ("value" in outcome) expect(outcome.value[0]).toMatchObject({ n: 7 });
          },
        );
      },
    );

    test("commits all of a transaction or nothing", async () => {
      await everyStep(
        (ctx) =>
          db.transaction(
            ctx,
            async (tx) => {
              await tx.query(ctx, `insert into ${table} values (?)`, [1]);
              await tx
                .transaction(ctx, async (inner) => {
                  await inner.query(ctx, `insert into ${table} values (2)`);
                  await inner.query(ctx, "select * from no_such_table");
                })
                .catch((error: unknown) => {
                  if ((error as { errno?: unknown }).errno !== 1146) throw error;
                });
              await tx.query(ctx, `insert into ${table} select 3 + sleep(0.02)`);
              return "done";
            },
            { isolation: "serializable" },
          ),
        async (outcome) => {
          expect(await numbers()).toEqual("value" in outcome ? [1, 3] : []);
        },
      );
    });

    test.each([7, 4])("ends a stream that is read until row %i of 7", async (end) => {
      await everyStep(
        async (ctx, step) => {
          const seen: unknown[] = [];
          for await (const { n } of db.stream(
            ctx,
            `select seq as n /* ${table} */ from seq_1_to_7`,
          )) {
            step(`row ${String(n)}`);
            seen.push(n);
            if (n === end) break;
          }
          return seen;
        },
        (outcome) => {
          if ("value" in outcome) expect(outcome.value).toHaveLength(end);
        },
      );
    });

    test("rolls back a transaction that the function of connection() left open", async () => {
      await everyStep(
        (ctx) =>
          db.connection(ctx, async (own) => {
            await own.query(ctx, "begin");
            await own.query(ctx, `insert into ${table} values (1)`);
          }),
        async () => {
          expect(await numbers()).toEqual([]);
        },
      );
    });
  });
}

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
import type { Db, TestDriver, TestPool } from "./driver.ts";

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

    test("ends a stream that is left at row 4 of 7", async () => {
      await everyStep(
        async (ctx, step) => {
          const seen: unknown[] = [];
          for await (const { n } of db.stream(
            ctx,
            `select seq as n /* ${table} */ from seq_1_to_7`,
          )) {
            step(`row ${String(n)}`);
            seen.push(n);
            if (n === 4) break;
          }
          return seen;
        },
        (outcome) => {
          if ("value" in outcome) expect(outcome.value).toHaveLength(4);
        },
      );
    });
  });
}

/** Deadlines that the server is told, with `serverTimeout: true`. */
import { beforeEach, expect, onTestFinished, test } from "vitest";
import { background, withTimeout, type Context } from "../../../src/index.ts";
import { rejection } from "../reports.ts";
import type { Statements, TestDriver } from "./driver.ts";
import { mark, observer, until, type Observer } from "./servers.ts";

/** A join that computes for minutes. */
const LONG = "select count(*) from numbers a join numbers b on sqrt(a.seq * b.seq) < 0";

export function describeDeadlines(driver: TestDriver): void {
  const { server } = driver;
  server.describe(`a deadline of eightysix/${driver.name} on ${server.title}`, () => {
    let look: Observer;
    beforeEach(async () => {
      look = await observer(server.url());
    });

    type Run = (text: string) => Promise<unknown>;

    /** Runs a statement. Resolves with the limit in milliseconds that the server got, or `undefined`. */
    async function limitOf(run: Run): Promise<number | undefined> {
      const m = mark();
      const answer = run(`select ${m} sleep(0.3)`);
      let info = "";
      await until(async () => {
        const [rows] = await look.query<never>(
          "select info from information_schema.processlist where locate(?, info) > 0 and locate('processlist', info) = 0",
          [m],
        );
        info = (rows as { info: string }[])[0]?.info ?? "";
        return info !== "";
      });
      await answer;
      return server.timeLimitIn(info);
    }

    /** Expects a limit of ten seconds plus a stop timeout of half a second. */
    function expectLimit(limit: number | undefined): void {
      expect(limit).toBeGreaterThan(5_000);
      expect(limit).toBeLessThanOrEqual(10_500);
    }

    const pool = (max = 2) => driver.pool({ serverTimeout: true, stopTimeout: 500, max });

    test("is sent to the server as a limit, with the stop timeout added", async () => {
      const { db } = pool();
      using ctx = withTimeout(background(), 10_000);
      expectLimit(await limitOf((text) => db.query(ctx, text)));
      expectLimit(await limitOf((text) => db.transaction(ctx, (tx) => tx.query(ctx, text))));
      expectLimit(await limitOf((text) => db.stream(ctx, text).next()));
    });

    test("is sent with its own statement only", async () => {
      const { db } = pool(1);
      using ctx = withTimeout(background(), 10_000);
      await db.query(ctx, "select 1");
      expect(await limitOf((text) => db.query(background(), text))).toBeUndefined();
      expect(await limitOf((text) => db.execute(ctx, text))).toBeUndefined();
    });

    test("is not sent by default", async () => {
      const { db } = driver.pool();
      using ctx = withTimeout(background(), 10_000);
      expect(await limitOf((text) => db.query(ctx, text))).toBeUndefined();
    });

    test("stops a statement on the server while this process is blocked", async () => {
      const own = driver.pool({ serverTimeout: true, stopTimeout: 50 });
      using ctx = withTimeout(background(), 200);
      const m = mark();
      const work = rejection(own.db.query(ctx, `${LONG} ${m}`));
      await until(async () => (await look.running(m)) === 1);
      const end = performance.now() + 600;
      while (performance.now() < end); // blocks this process
      expect(await look.running(m)).toBe(0);
      await work;
    });

    test("stays out of the driver's error", async () => {
      const own = pool(1);
      using ctx = withTimeout(background(), 10_000);
      const before = await own.query("select connection_id() as id");
      for (const text of ["select * from no_such_table", "select selec selec"]) {
        const error = await rejection(own.db.query(ctx, text));
        expect(error).toMatchObject({ sqlState: expect.stringMatching(/^42/) as string });
        expect(JSON.stringify(error) + (error as Error).message).not.toMatch(/max_\w+_time/i);
      }
      expect(await own.query("select connection_id() as id")).toEqual(before);
    });

    test.each<[string, (on: Statements, ctx: Context, raw: Run) => Promise<unknown>]>([
      ["through the adapter", (on, ctx) => on.query(ctx, server.setTimeLimit(50))],
      [
        "after a statement with a limit",
        async (on, ctx) => {
          await on.query(ctx, "select 1");
          await on.query(ctx, server.setTimeLimit(50));
        },
      ],
      [
        "with the driver alone, before the first statement",
        (_on, _ctx, raw) => raw(server.setTimeLimit(50)),
      ],
    ])("never lengthens a limit that the user has set %s", async (_, set) => {
      const own = pool(1);
      using ctx = withTimeout(background(), 10_000);
      await set(own.db, ctx, (sql) => own.query(sql));
      const began = performance.now();
      expect(await rejection(own.db.query(ctx, LONG))).toMatchObject({
        errno: server.timeLimitError,
      });
      expect(performance.now() - began).toBeLessThan(5_000);
    });

    test("is left out of the statements that take no limit", async () => {
      const { db } = pool();
      const table = `t${process.pid}_${Math.floor(performance.now() * 1000)}`;
      await look.query(`create table ${table} (n int primary key) engine=innodb`);
      onTestFinished(async () => {
        await look.query(`drop table ${table}`);
      });
      using ctx = withTimeout(background(), 10_000);
      await db.query(ctx, `insert into ${table} values (?), (?)`, [1, 2]);
      await db.query(ctx, `update ${table} set n = 3 where n = 2`);
      await db.query(ctx, `replace into ${table} values (4)`);
      await db.query(ctx, `delete from ${table} where n = 4`);
      await db.query(ctx, `alter table ${table} add column m int`);
      await db.query(ctx, `analyze table ${table}`);
      await db.query(ctx, "show tables");
      await db.query(ctx, "set @a = 1");
      for (const text of [
        "with a as (select 1 as n) select n from a",
        "/* comment */ select 1 as n",
        " \n select 1 as n -- end",
        "select/* comment */1 as n",
        "select/*+ no_icp(t) */ 1 as n",
        "(select 1 as n)",
        "select(1) as n",
      ]) {
        expect(await db.query(ctx, text)).toEqual([{ n: 1 }]);
      }
      const [rows] = await look.query(`select n from ${table} order by n`);
      expect(rows).toEqual([{ n: 1 }, { n: 3 }]);
    });
  });
}

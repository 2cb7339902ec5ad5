/**
 * What becomes of a statement that KILL QUERY hits in an unusual moment, tested on a real server.
 * The SQL is known to MySQL and MariaDB, except for tests of what only one of them has.
 */
import { beforeEach, describe, expect, onTestFinished, test, vi } from "vitest";
import {
  background,
  stopped,
  withCancel,
  withLedger,
  type Context,
  type Receipt,
} from "../../../src/index.ts";
import { addressOf, mark, observer, until, urlAt, type Observer } from "./servers.ts";
import { startProxy, type Link } from "../proxy.ts";
import type { Db, Row, Statements, TestDriver, TestPool } from "./driver.ts";

/** An expression that computes for minutes. It is 0, also if it is killed. */
const COMPUTE = "benchmark(2000000000, sha2('x', 256))";

/** Cancels at random times, in the race of each statement. */
const RACES = 150;

export function describeKilled(driver: TestDriver): void {
  const { server } = driver;
  vi.setConfig({ testTimeout: 60_000 });
  server.describe(`a killed statement of eightysix/${driver.name} on ${server.title}`, () => {
    let look: Observer;
    let pool: TestPool;
    const table = `killed_${process.pid}_${driver.name}`;

    beforeEach(async () => {
      look = await observer(server.url());
      pool = driver.pool({ max: 1, more: { multipleStatements: true } });
      await look.query(`drop table if exists ${table}`);
      await look.query(`create table ${table} (n int primary key, v int) engine=innodb`);
      onTestFinished(async () => {
        await look.query(`drop table ${table}`);
      });
    });

    /** Runs statements, cancels them while the text in `m` runs, and returns their outcome. */
    async function canceled<T>(
      run: (ctx: Context, m: string) => Promise<T>,
    ): Promise<{ outcome: unknown; ctx: Context; state: Receipt["state"] | undefined }> {
      const ctx = withCancel(background());
      const request = withLedger(ctx);
      const m = mark();
      const work = run(request, m).catch((error: unknown) => error);
      await until(async () => (await look.running(m)) > 0);
      ctx.cancel();
      const outcome: unknown = await work;
      expect(await look.running(m)).toBe(0);
      const receipts = await stopped(request);
      return {
        outcome,
        ctx: request,
        state: receipts.find(({ what }) => what?.includes(m))?.state,
      };
    }

    /** Checks that the connection is in its pool and that nothing is left of the KILL. */
    async function expectWhole(): Promise<void> {
      await until(() => pool.waiting() === 0 && pool.idle() === pool.total());
      expect(pool.total()).toBe(1);
      expect(await pool.query("select 1 as n")).toMatchObject([{ n: 1 }]);
    }

    /** Calls a procedure with this body. */
    async function call(ctx: Context, body: string): Promise<unknown> {
      await look.query(`create procedure p_${table}() begin ${body}; end`);
      onTestFinished(async () => {
        await look.query(`drop procedure p_${table}`);
      });
      return await pool.db.query(ctx, `call p_${table}()`);
    }

    type Form = (db: Statements, ctx: Context, sql: string) => Promise<unknown>;
    const query: Form = (db, ctx, sql) => db.query(ctx, sql);
    const execute: Form = (db, ctx, sql) => db.execute(ctx, sql);
    const stream: Form = async (db, ctx, sql) => {
      const rows: Row[] = [];
      for await (const row of db.stream(ctx, sql)) rows.push(row);
      return rows;
    };
    const inTransaction: Form = (db, ctx, sql) =>
      (db as Db).transaction(ctx, (tx) => tx.query(ctx, sql));

    describe("rejects with the error of its context, if the KILL may have changed its rows:", () => {
      // MySQL's SLEEP() returns 1. BENCHMARK() returns 0. MariaDB's GET_LOCK() returns NULL.
      const texts = [
        "select sleep(60)",
        `select ${COMPUTE}`,
        `select get_lock('${table}', 60)`,
        "do sleep(60)",
        `do ${COMPUTE}`,
        "select sleep(60); select 2",
        "select 1; select sleep(60)",
      ];
      test.each(texts)("%s", async (text) => {
        await look.query(`do get_lock('${table}', 0)`);
        const { outcome, ctx, state } = await canceled((ctx, m) =>
          pool.db.query(ctx, text.replace(/sleep|benchmark|get_lock/, `${m} $&`)),
        );
        expect(outcome).toBe(ctx.err());
        expect(state).toBe("stopped");
        await expectWhole();
      });

      const forms: Record<string, Form> = {
        "a prepared statement": execute,
        "a stream": stream,
        "a statement of a transaction": inTransaction,
      };
      test.each(Object.entries(forms))("%s", async (_, form) => {
        for (const text of ["select sleep(60)", `select ${COMPUTE}`]) {
          const { outcome, ctx, state } = await canceled((ctx, m) =>
            form(pool.db, ctx, `${text} ${m}`),
          );
          expect(outcome).toBe(ctx.err());
          expect(state).toBe("stopped");
          await expectWhole();
        }
      });

      test("a procedure that goes on after the KILL", async () => {
        const { outcome, ctx } = await canceled((ctx, m) =>
          call(
            ctx,
            `declare continue handler for sqlexception begin end; select ${m} ${COMPUTE} as v; insert into ${table} values (1, 1)`,
          ),
        );
        expect(outcome).toBe(ctx.err());
        await expectWhole();
      });
    });

    describe("resolves with what it has written, if it has no rows", () => {
      test("and was an INSERT that the KILL only made faster", async () => {
        for (const [n, form] of [query, execute].entries()) {
          const { outcome, state } = await canceled((ctx, m) =>
            form(pool.db, ctx, `insert into ${table} select ${n}, ${COMPUTE} ${m}`),
          );
          expect(outcome).toMatchObject({ affectedRows: 1 });
          expect(state).toBe("stopped");
        }
        const [rows] = await look.query(`select n from ${table} order by n`);
        expect(rows).toEqual([{ n: 0 }, { n: 1 }]);
        await expectWhole();
      });

      test("and was a procedure that went on after the KILL", async () => {
        const { outcome } = await canceled((ctx, m) =>
          call(ctx, `do ${m} sleep(60); insert into ${table} values (2, 2)`),
        );
        expect(outcome).toMatchObject({ affectedRows: 1 });
        expect((await look.query(`select n from ${table}`))[0]).toEqual([{ n: 2 }]);
        await expectWhole();
      });
    });

    test("resolves with the rows of INSERT … RETURNING, which were written", async ({ skip }) => {
      skip(server.name === "mysql", "MySQL has no RETURNING");
      const { outcome } = await canceled((ctx, m) =>
        pool.db.query(ctx, `insert into ${table} values (3, ${COMPUTE}) returning n, v ${m}`),
      );
      expect(outcome).toMatchObject([{ n: 3, v: 0 }]);
      expect((await look.query(`select n from ${table}`))[0]).toEqual([{ n: 3 }]);
      await expectWhole();
    });

    describe("is canceled or right, whenever the KILL arrives:", () => {
      async function race(
        text: string,
        within: number,
        check: (rows: unknown) => void,
      ): Promise<void> {
        let rejected = 0;
        for (let i = 0; i < RACES; i++) {
          using ctx = withCancel(background());
          const start = performance.now();
          const work = pool.db.query(ctx, text).catch((error: unknown) => error);
          const timer = setTimeout(() => ctx.cancel(), Math.random() * within);
          const outcome: unknown = await work;
          clearTimeout(timer);
          expect(performance.now() - start).toBeLessThan(2_000); // the stop timeout is 3 s
          if (outcome === ctx.err()) rejected++;
          else check(outcome);
        }
        expect(rejected).toBeGreaterThan(0);
        await expectWhole();
      }

      test("a query of information_schema, which MariaDB answers with too few rows", async () => {
        const text = `select column_name as c from information_schema.columns where table_schema = database() and table_name = '${table}' order by 1`;
        await race(text, 4, (rows) => expect(rows).toEqual([{ c: "n" }, { c: "v" }]));
      });

      test("CHECKSUM TABLE, which both servers answer with a sum of some rows", async () => {
        await look.query(
          `insert into ${table} with recursive x as (select 1 as n union all select n + 1 from x where n < 900) select n, n from x`,
        );
        const text = `checksum table ${table}`;
        const [right] = await look.query(text);
        await race(text, 2, (rows) => expect(rows).toMatchObject(right));
      });

      test("several statements, whose answer both servers can forget", async () => {
        const text = `${"do 0; select 1; ".repeat(8)} select 2 as n`;
        await race(text, 2, (results) => expect(JSON.stringify(results)).toContain('{"n":2}'));
      });
    });

    describe("in a text of several, whose answer never arrives,", () => {
      /** Runs `text` through a proxy. The first connection's answers wait for `release`. */
      async function withoutAnswer(text: string, answerAfter?: number) {
        let isHolding = false;
        let release: (() => void) | undefined;
        const released = new Promise<void>((resolve) => (release = resolve));
        const proxy = await startProxy(addressOf(server), {
          onChunk: (link: Link, from) =>
            isHolding && link.index === 0 && from === "server" ? released : undefined,
        });
        const own = driver.pool({
          url: urlAt(server, proxy),
          max: 1,
          stopTimeout: 20_000,
          more: { multipleStatements: true },
        });
        using warm = withCancel(background()); // so that the thread of the connection is known
        const [row] = await own.db.query(warm, "select connection_id() as id");
        isHolding = true;
        const ctx = withCancel(background());
        const request = withLedger(ctx);
        const work = own.db.query(request, text).catch((error: unknown) => error);
        const id = Number(row?.["id"]);
        await until(async () => (await look.running(text)) === 0);
        await new Promise((resolve) => setTimeout(resolve, 50));
        const start = performance.now();
        ctx.cancel();
        if (answerAfter !== undefined) setTimeout(() => release?.(), answerAfter);
        const outcome: unknown = await work;
        const took = performance.now() - start;
        isHolding = false;
        const [receipt] = (await stopped(request)).filter(({ what }) => what === text);
        return { own, id, outcome, took, state: receipt?.state, err: ctx.err() };
      }

      test("is abandoned when the server says that it runs nothing, long before the stop timeout", async () => {
        const { own, id, outcome, took, state, err } = await withoutAnswer("select 1; select 2");
        expect(outcome).toBe(err);
        expect(state).toBe("abandoned");
        expect(took).toBeGreaterThan(250);
        expect(took).toBeLessThan(3_000);
        await until(async () => (await look.connections([id])).length === 0);
        expect(await own.query("select 1 as n")).toMatchObject([{ n: 1 }]);
      });

      test("keeps its connection if the answer was only late", async () => {
        const { own, id, outcome, state, err } = await withoutAnswer("select 1; select 2", 150);
        expect(outcome).toBe(err);
        expect(state).toBe("stopped");
        expect(await own.query("select connection_id() as id")).toMatchObject([{ id }]);
      });
    });
  });
}

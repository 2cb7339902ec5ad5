/** What a pool's connection hands to the next caller, with mysql2 and mariadb: no locks, settings or transactions. */
import { afterEach, describe, expect, test } from "vitest";
import {
  background,
  developmentMode,
  shield,
  sleep,
  withTimeout,
  type Context,
} from "../../../src/index.ts";
import { cancelConnection } from "../cancel-connection.ts";
import { observer, until } from "./servers.ts";
import { rejection, watchReports } from "../reports.ts";
import type { Db, Row, TestDriver, Tx } from "./driver.ts";

let names = 0;
const newName = (): string => `state_${process.pid}_${++names}`;

type Ask = (sql: string) => Promise<Row[]>;

const cancelAfter = (
  db: Db,
  fn: (own: Tx, ctx: Context) => Promise<unknown>,
  cleanUp?: (own: Tx, ctx: Context) => Promise<unknown>,
  options?: { after: "keep" },
): Promise<void> =>
  cancelConnection<Tx>(
    {
      connection: (ctx, use) => db.connection(ctx, use, options),
      sleep: (own, ctx) => own.query(ctx, "select sleep(60)"),
    },
    fn,
    cleanUp,
  );

const idOf = async (on: { query: Ask }): Promise<unknown> =>
  (await on.query("select connection_id() as id"))[0]?.["id"];

export function describeSessionState(driver: TestDriver): void {
  const { server } = driver;
  const isInTransaction = async (on: { query: Ask }): Promise<boolean> =>
    Number((await on.query(server.inTransaction))[0]?.["n"]) === 1;

  server.describe(`the state of a session of eightysix/${driver.name} on ${server.title}`, () => {
    const warnings = watchReports();
    afterEach(() => developmentMode(false));

    describe("on a connection whose context has ended", () => {
      test("does not reach the next user: a SET, a temporary table, an open transaction", async () => {
        const pool = driver.pool({ max: 1 });
        const table = newName();
        await cancelAfter(pool.db, async (own, ctx) => {
          await own.query(ctx, "set @mine = 7");
          await own.query(ctx, `create temporary table ${table} (n int)`);
          await own.query(ctx, "begin");
        });
        expect(await pool.query("select @mine as m")).toEqual([{ m: null }]);
        expect(await isInTransaction(pool)).toBe(false);
        expect(await rejection(pool.query(`select * from ${table}`))).toMatchObject({
          errno: 1146,
        });
      });

      test("does not keep GET_LOCK, and a waiter of the pool gets another connection", async () => {
        const pool = driver.pool({ max: 1 });
        const look = await observer(server.url());
        const name = newName();
        const before = await idOf(pool);
        let waiter: Promise<unknown> | undefined;
        await cancelAfter(pool.db, async (own, ctx) => {
          await own.query(ctx, "select get_lock(?, 0)", [name]);
          waiter = idOf(pool);
        });
        expect(await waiter).not.toBe(before);
        await until(async () => {
          const [rows] = await look.query(`select is_free_lock('${name}') as free`);
          return Number((rows as Row[])[0]?.["free"]) === 1;
        });
        expect(pool.total()).toBe(1);
      });

      test("does not keep LOCK TABLES", async () => {
        const pool = driver.pool({ max: 1 });
        const look = await observer(server.url());
        const table = newName();
        await look.query(`create table ${table} (n int)`);
        try {
          await cancelAfter(pool.db, (own, ctx) => own.query(ctx, `lock tables ${table} write`));
          await pool.query("select 1");
          await look.query(`insert into ${table} values (1)`);
        } finally {
          await look.query(`drop table ${table}`);
        }
      });

      test("is cleaned up by the function under a shield", async () => {
        const pool = driver.pool({ max: 1 });
        const name = newName();
        const before = await idOf(pool);
        let released: unknown;
        await cancelAfter(
          pool.db,
          (own, ctx) => own.query(ctx, "select get_lock(?, 0)", [name]),
          (own, ctx) =>
            shield(ctx, 5_000, async (live) => {
              const [row] = await own.query(live, "select release_lock(?) as n", [name]);
              released = Number(row?.["n"]);
            }),
          { after: "keep" },
        );
        expect(released).toBe(1);
        expect(await idOf(pool)).toBe(before);
      });

      test('stays there with after: "keep", without its transaction, and on the caller\'s own connection', async () => {
        const set = async (own: Tx, ctx: Context): Promise<void> => {
          await own.query(ctx, "set @mine = 7");
          await own.query(ctx, "begin");
        };
        const pool = driver.pool({ max: 1 });
        const own = await driver.connection();
        await cancelAfter(pool.db, set, undefined, { after: "keep" });
        await cancelAfter(own.db, set);
        for (const on of [pool, own]) {
          const [row] = await on.query("select @mine as m");
          expect(Number(row?.["m"])).toBe(7);
          expect(await isInTransaction(on)).toBe(false);
        }
      });
    });

    // The warning comes once for each place in the code, so one server must do.
    if (server.name === "mysql") return;
    test("warns in development mode of a single statement that left a transaction open", async () => {
      const pool = driver.pool({ max: 1 });
      const sql = `start transaction /* ${newName()} */`;
      await pool.db.query(background(), sql);
      await sleep(background(), 0);
      expect(warnings).toEqual([]);
      developmentMode(true);
      await pool.db.query(background(), sql);
      await sleep(background(), 0);
      expect(warnings).toMatchObject([
        {
          code: "EIGHTYSIX_TRANSACTION_LEFT_OPEN",
          detail: expect.stringMatching(/^ +at [^]*\nstart transaction/) as string,
        },
      ]);
    });

    test.each<[string, (db: Db, ctx: Context) => Promise<unknown>]>([
      ["a transaction", (db, ctx) => db.transaction(ctx, (tx) => tx.query(ctx, "select 1"))],
      ["a query", (db, ctx) => db.query(ctx, "select 1")],
    ])("warns if %s waits for the connection of its own caller", async (_, call) => {
      const pool = driver.pool({ max: 1 });
      const own = await driver.connection();
      for (const { db } of [pool, own]) {
        warnings.length = 0;
        using ctx = withTimeout(background(), 2_000);
        const work = db.transaction(ctx, async (tx) => {
          await tx.query(ctx, "select 1");
          await call(db, ctx);
        });
        expect(await rejection(work)).toBe(ctx.err());
        await sleep(background(), 0);
        expect(warnings).toMatchObject([{ code: "EIGHTYSIX_WAITS_FOR_ITSELF" }]);
      }
    });
  });
}

/** What must hold for every ORM on mysql2, on both servers. */
import type { Pool } from "mysql2";
import { beforeEach, describe, expect, test, vi } from "vitest";
import { background, stopped, withCancel, withLedger, type Context } from "../../../src/index.ts";
import { contextPool } from "../../../src/mysql2/index.ts";
import { runWithContext } from "../../../src/current/index.ts";
import { failure } from "../orms.ts";
import { CANCELS, race, unhandledRejections } from "../race.ts";
import { cancelAtEveryStep, mysqlPackets, startRelay } from "../steps.ts";
import { callbackPool, countsOf, expectWhole, idsIn, isRunning, PATIENT, table } from "./orms.ts";
import {
  addressOf,
  describeServers,
  mark,
  observer,
  until,
  urlAt,
  type Observer,
  type TestServer,
} from "./servers.ts";

/** One ORM, or one of its transactions. */
export interface Queries {
  /** Sends SQL. Resolves with the column `i` of the first row, if there are rows. */
  one(text: string): Promise<unknown>;
  transaction<T>(fn: (tx: Queries) => Promise<T>): Promise<T>;
}

export interface OpenOrm {
  /** Calls `use` with the ORM under `ctx`. Rejects with the error inside the ORM's own. */
  within<T>(ctx: Context, use: (db: Queries) => Promise<T>): Promise<T>;
}

export interface OrmUnderTest {
  readonly name: string;
  /** Whether the ORM has nested transactions. */
  readonly nests: boolean;
  /** Creates the ORM over a pool with callbacks. */
  open(pool: Pool, server: TestServer): Promise<OpenOrm> | OpenOrm;
  /** Whether the long tests are left out, because another way of the same ORM runs them. */
  readonly isBrief?: boolean;
}

/** Returns an ORM that lives as long as its pool, which `create` gets as a context pool. */
export function withCurrent(
  create: (pool: Pool, server: TestServer) => Promise<Queries> | Queries,
  unwrap: (error: unknown) => unknown = (error) => error,
): OrmUnderTest["open"] {
  return async (pool, server) => {
    const db = await create(contextPool(pool, PATIENT), server);
    return {
      within: (ctx, use) =>
        runWithContext(ctx, () => use(db)).catch((error: unknown) => {
          throw unwrap(error);
        }),
    };
  };
}

/** Resolves with `i` of the first row in an answer of mysql2, which has no rows after an INSERT. */
export function firstOf(rows: unknown): unknown {
  return Array.isArray(rows) ? (rows as { i?: unknown }[])[0]?.i : undefined;
}

export function describeOrm(orm: OrmUnderTest): void {
  vi.setConfig({ testTimeout: 120_000, hookTimeout: 60_000 });
  const unhandled = unhandledRejections();

  describeServers(orm.name, (server) => {
    let look: Observer;
    beforeEach(async () => {
      look = await observer(server.url());
    });

    async function open(url = server.url(), max = 1) {
      const pool = callbackPool(server, { uri: url, connectionLimit: max });
      const open = await orm.open(pool, server);
      const within = <T>(ctx: Context, use: (db: Queries) => Promise<T>) => open.within(ctx, use);
      return { pool, within };
    }
    const insert = (name: string, id: number): string => `insert into ${name} values (${id})`;

    test("stops a query on the server, and rejects with ctx.err()", async () => {
      const { pool, within } = await open();
      using ctx = withCancel(withLedger(background()));
      const text = `select 1 as i, sleep(60) ${mark()}`;
      const slow = failure(within(ctx, (db) => db.one(text)));
      await isRunning(look, text);
      ctx.cancel();
      expect(await slow).toBe(ctx.err());
      expect(await look.running(text)).toBe(0);
      await expectWhole(pool);
      const states = (await stopped(ctx)).map(({ state }) => state);
      expect(states).toEqual(["stopped"]);
    });

    test.each(orm.nests ? ["a transaction", "a nested transaction"] : ["a transaction"])(
      "stops %s, rolls it back, and keeps its connection",
      async (which) => {
        const { pool, within } = await open();
        const name = await table(server, look);
        using ctx = withCancel(background());
        const text = `select 1 as i, sleep(60) ${mark()}`;
        const slow = failure(
          within(ctx, (db) =>
            db.transaction(async (tx) => {
              await tx.one(insert(name, 1));
              if (which === "a transaction") return await tx.one(text);
              return await tx.transaction(async (inner) => {
                await inner.one(insert(name, 2));
                return await inner.one(text);
              });
            }),
          ),
        );
        await isRunning(look, text);
        ctx.cancel();
        expect(await slow).toBe(ctx.err());
        await expectWhole(pool);
        expect(await idsIn(look, name)).toEqual([]);
        const [rows] = await pool.promise().query(server.inTransaction);
        expect(rows).toEqual([{ n: 0 }]);
      },
    );

    test("rolls a transaction back whose context ends before its COMMIT", async () => {
      const { pool, within } = await open();
      const name = await table(server, look);
      using ctx = withCancel(background());
      const done = within(ctx, (db) =>
        db.transaction(async (tx) => {
          await tx.one(insert(name, 1));
          ctx.cancel();
        }),
      );
      expect(await failure(done)).toBe(ctx.err());
      await expectWhole(pool);
      expect(await idsIn(look, name)).toEqual([]);
    });

    test("commits a transaction whose context stays live, and passes the driver's errors on", async () => {
      const { pool, within } = await open();
      const name = await table(server, look);
      using ctx = withCancel(background());
      await within(ctx, (db) =>
        db.transaction(async (tx) => {
          await tx.one(insert(name, 1));
          if (orm.nests) await tx.transaction((inner) => inner.one(insert(name, 2)));
        }),
      );
      expect(await idsIn(look, name)).toEqual(orm.nests ? [1, 2] : [1]);
      const twice = within(ctx, (db) => db.transaction((tx) => tx.one(insert(name, 1))));
      expect(await failure(twice)).toMatchObject({ errno: 1062 });
      await expectWhole(pool);
    });

    test("ends the wait for a connection", async () => {
      const { pool, within } = await open();
      const holder = await pool.promise().getConnection();
      using ctx = withCancel(background());
      const waiting = [
        failure(within(ctx, (db) => db.one("select 1 as i"))),
        failure(within(ctx, (db) => db.transaction((tx) => tx.one("select 1 as i")))),
      ];
      await until(() => countsOf(pool).waiting === 2);
      ctx.cancel();
      for (const wait of waiting) expect(await wait).toBe(ctx.err());
      holder.release();
      await expectWhole(pool);
    });

    describe.skipIf(orm.isBrief)("at length", () => {
      test("commits a transaction as a whole or not at all, canceled at any packet", async () => {
        const relay = await startRelay(addressOf(server), mysqlPackets);
        const { pool, within } = await open(urlAt(server, relay));
        const name = await table(server, look);
        const idOf = async (): Promise<unknown> =>
          (await pool.promise().query("select connection_id() as id"))[0];
        const before = await idOf();
        const steps = await cancelAtEveryStep({
          relay,
          run: (ctx) =>
            within(ctx, (db) =>
              db.transaction(async (tx) => {
                await tx.one(insert(name, 1));
                if (!orm.nests) await tx.one(insert(name, 2));
                else await tx.transaction((inner) => inner.one(insert(name, 2)));
              }),
            ),
          async check(outcome) {
            await expectWhole(pool);
            expect(await idOf()).toEqual(before);
            expect(await idsIn(look, name)).toEqual("value" in outcome ? [1, 2] : []);
            await look.query(`delete from ${name}`);
          },
        });
        expect(steps.length).toBeGreaterThan(5);
      });

      const cancels = Math.ceil(CANCELS / 10);
      test(`hits no other statement in ${cancels} cancels`, async () => {
        const max = 3;
        const { pool, within } = await open(server.url(), max);
        /** Returns a statement that takes about `seconds`, and fails if a KILL hits it. */
        const compute = (i: number, seconds: number): string =>
          `select ${i} as i, count(sha2(seq, 256)) as n from numbers where seq <= ${Math.ceil(seconds * 1_000_000)}`;
        await race({
          seed: orm.name.length,
          cancels,
          workers: 3 * max,
          guilty: (ctx, i, seconds) =>
            within(ctx, (db) =>
              i % 2 === 0
                ? db.one(compute(i, seconds))
                : db.transaction((tx) => tx.one(compute(i, seconds))),
            ),
          innocent: (ctx, i) =>
            within(ctx, (db) =>
              i % 3 === 0
                ? db.transaction((tx) => tx.one(compute(i, 0.0005)))
                : db.one(compute(i, 0.0005)),
            ),
        });
        await expectWhole(pool, max);
        expect(unhandled).toEqual([]);
      });
    });
  });
}

import pg from "pg";
import { beforeEach, describe, expect, expectTypeOf, onTestFinished, test, vi } from "vitest";
import { background, sleep, withCancel, withTimeout } from "../../index.ts";
import {
  mark,
  observer,
  postgresUrl,
  until,
  type Observer,
} from "../../../test/support/postgres.ts";
import { expectWhole, failure, isRunning } from "../../../test/support/orms.ts";
import { runWithoutContext, runWithContext } from "../../current/index.ts";
import { bind, contextPool } from "../index.ts";

vi.setConfig({ testTimeout: 60_000, hookTimeout: 60_000 });

/** Both forms of `contextPool`. */
const forms: Record<string, (config: pg.PoolConfig) => pg.Pool> = {
  "a pool": (config) => contextPool(new pg.Pool(config)),
  "the class": (config) => new (contextPool(pg.Pool))(config),
};

let look: Observer;
beforeEach(async () => {
  look = await observer();
});

test("contextPool returns a pool for a pool, and a subclass for the class", async () => {
  expectTypeOf(contextPool(pg.Pool)).toEqualTypeOf<typeof pg.Pool>();
  expectTypeOf(contextPool(new pg.Pool())).toEqualTypeOf<pg.Pool>();
  for (const create of Object.values(forms)) {
    const db = create({ max: 1 });
    expect(db).toBeInstanceOf(pg.Pool);
    expect(db.constructor.name).toContain("Pool");
    expect(db.options.max).toBe(1);
    await db.end();
  }
});

describe.each(Object.keys(forms))("contextPool of %s", (form) => {
  function pool(config: pg.PoolConfig = {}): pg.Pool {
    const made = forms[form]!({ connectionString: postgresUrl(), max: 1, ...config });
    made.on("error", () => undefined);
    onTestFinished(() => made.end());
    return made;
  }

  describe("a context pool without a current context", () => {
    test("runs queries as pg does, by promises and by callbacks", async () => {
      const db = pool();
      expect((await db.query("select $1::int as n", [1])).rows).toEqual([{ n: 1 }]);
      const answer = new Promise((resolve) =>
        db.query("select 2 as n", (error, result) => resolve([error, result.rows])),
      );
      expect(await answer).toEqual([undefined, [{ n: 2 }]]);
      const client = await db.connect();
      expect((await client.query("select 3 as n")).rows).toEqual([{ n: 3 }]);
      await client.query("begin");
      await failure(client.query("select 1/0"));
      expect(await client.query("commit")).toMatchObject({ command: "ROLLBACK" }); // as pg does
      client.release();
      expectWhole(db);
    });

    test("closes the connection after a query that failed, as pg's Pool does", async () => {
      const db = pool();
      await expect(db.query("selekt")).rejects.toMatchObject({ code: "42601" });
      await until(() => db.totalCount === 0);
    });
  });

  describe("a context pool with a current context", () => {
    test("stops the queries of the pool and of its clients when the context ends", async () => {
      const db = pool();
      for (const way of ["pool", "client"]) {
        using ctx = withCancel(background());
        const text = `select pg_sleep(60) ${mark()}`;
        const query = runWithContext(ctx, async () => {
          await sleep(background(), 1); // the current context follows an await
          if (way === "pool") return await failure(db.query(text));
          const client = await db.connect();
          try {
            return await failure(client.query(text));
          } finally {
            client.release();
          }
        });
        await isRunning(look, text);
        ctx.cancel();
        expect(await query).toBe(ctx.err());
        expect(await look.running(text)).toBe(0);
        expectWhole(db);
      }
    });

    test("passes ctx.err() to the callback of a query that was stopped", async () => {
      const db = pool();
      await db.query("select 1"); // connected
      using ctx = withTimeout(background(), 50);
      const error = await runWithContext(
        ctx,
        () => new Promise((resolve) => db.query("select pg_sleep(60)", (e) => resolve(e))),
      );
      expect(error).toBe(ctx.err());
      expectWhole(db);
    });

    test("uses the context of the innermost runWithContext", async () => {
      const db = pool();
      using outer = withCancel(background());
      await runWithContext(outer, async () => {
        const client = await db.connect();
        using inner = withTimeout(outer, 50);
        expect(
          await runWithContext(inner, () => failure(client.query("select pg_sleep(60)"))),
        ).toBe(inner.err());
        expect((await client.query("select 1 as n")).rows).toEqual([{ n: 1 }]);
        client.release();
      });
      expectWhole(db);
    });

    test("uses no context inside runWithoutContext", async () => {
      const db = pool();
      using gone = withCancel(background());
      gone.cancel();
      await runWithContext(gone, async () => {
        expect(await failure(db.query("select 1"))).toBe(gone.err());
        expect((await runWithoutContext(() => db.query("select 1 as n"))).rows).toEqual([{ n: 1 }]);
      });
    });

    test("also uses the context of bind", async () => {
      const db = pool();
      using ctx = withCancel(background());
      using bound = withCancel(background());
      bound.cancel();
      expect(await runWithContext(ctx, () => failure(bind(bound, db).query("select 1")))).toBe(
        bound.err(),
      );
      const client = await runWithContext(ctx, () => bind(background(), db).connect());
      ctx.cancel();
      expect(await runWithContext(ctx, () => failure(client.query("select 1")))).toBe(ctx.err());
      client.release();
      expectWhole(db);
    });
  });

  describe("a query of a context pool belongs to", () => {
    test("the context in which it was asked for, and not to the context of the release that ended its wait", async () => {
      const db = pool();
      using first = withCancel(background());
      using second = withCancel(background());
      const text = `select pg_sleep(0.3), 7 as n ${mark()}`;
      const holder = await runWithContext(first, () => db.connect());
      const byPromise = runWithContext(second, () => db.query<{ n: number }>(text));
      const byCallback = runWithContext(
        second,
        () =>
          new Promise((resolve) =>
            db.connect((_error, client, release) => {
              client!.query(text, (error, result) => {
                release();
                resolve(error ?? result.rows[0]);
              });
            }),
          ),
      );
      const withoutContext = new Promise((resolve) =>
        db.query("select 8 as n", (error, result) => resolve(error ?? result.rows)),
      );
      runWithContext(first, () => holder.release());
      first.cancel();
      expect((await byPromise).rows[0]!.n).toBe(7);
      expect(await byCallback).toMatchObject({ n: 7 });
      expect(await withoutContext).toEqual([{ n: 8 }]);
      expectWhole(db);
    });

    test("the context in which its connection was leased, if another context is current", async () => {
      const db = pool();
      using mine = withCancel(background());
      using other = withCancel(background());
      other.cancel();
      const client = await runWithContext(mine, () => db.connect());
      const rows = await runWithContext(other, () => client.query("select 1 as n"));
      expect(rows.rows).toEqual([{ n: 1 }]);
      mine.cancel();
      expect(await failure(client.query("select 1"))).toBe(mine.err());
      client.release();
      expectWhole(db);
    });

    test("the current context, if its connection was leased without a context", async () => {
      const db = pool();
      const client = await db.connect();
      using ctx = withCancel(background());
      ctx.cancel();
      expect(await runWithContext(ctx, () => failure(client.query("select 1")))).toBe(ctx.err());
      expect((await client.query("select 1 as n")).rows).toEqual([{ n: 1 }]);
      client.release();
      expectWhole(db);
    });

    test("no context, if the pool sends it to set a connection up", async () => {
      using ctx = withCancel(background());
      let settings: Promise<unknown> | undefined;
      const db = pool({
        onConnect: (client) => client.query("set application_name = 'set up'") as never,
      });
      db.on("connect", (client) => {
        ctx.cancel();
        settings = db === undefined ? undefined : client.query("set lock_timeout = 1234");
      });
      const waiting = runWithContext(ctx, () => failure(db.connect()));
      expect(await waiting).toBe(ctx.err());
      await settings;
      await until(() => db.idleCount === 1);
      expect((await db.query("show lock_timeout")).rows).toEqual([{ lock_timeout: "1234ms" }]);
      expect((await db.query("show application_name")).rows).toEqual([
        { application_name: "set up" },
      ]);
      expectWhole(db);
    });
  });
});

test("runWithContext says what is wrong with its arguments", () => {
  expect(() => runWithContext("x" as never, () => 1)).toThrow(/runWithContext needs a Context/);
  expect(() => runWithContext(background(), 1 as never)).toThrow(/takes a function/);
  expect(runWithContext(background(), () => 7)).toBe(7);
  const promise = Promise.resolve(7);
  expect(runWithContext(background(), () => promise)).toBe(promise);
  expectTypeOf(runWithContext(background(), () => promise)).toEqualTypeOf<Promise<number>>();
});

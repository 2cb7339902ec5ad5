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

const ContextPool = contextPool(pg.Pool);

let look: Observer;
beforeEach(async () => {
  look = await observer();
});

function pool(config: pg.PoolConfig = {}): pg.Pool {
  const made = new ContextPool({ connectionString: postgresUrl(), max: 1, ...config });
  made.on("error", () => undefined);
  onTestFinished(() => made.end());
  return made;
}

test("it is a Pool", async () => {
  expectTypeOf(ContextPool).toEqualTypeOf<typeof pg.Pool>();
  const db = pool();
  expect(db).toBeInstanceOf(pg.Pool);
  expect(db.constructor.name).toContain("Pool");
  expect(db.options.max).toBe(1);
  expect(() => contextPool(db as never)).toThrow(/contextPool\(pg\.Pool\)/);
});

describe("without a context in force", () => {
  test("queries are pg's own, by promise and by callback", async () => {
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
    expect(await client.query("commit")).toMatchObject({ command: "ROLLBACK" }); // as pg
    client.release();
    expectWhole(db);
  });

  test("a query error costs the connection, as pg's pool has it", async () => {
    const db = pool();
    await expect(db.query("selekt")).rejects.toMatchObject({ code: "42601" });
    await until(() => db.totalCount === 0);
  });
});

describe("with a context in force", () => {
  test("queries stop, of the pool and of its clients", async () => {
    const db = pool();
    for (const way of ["pool", "client"]) {
      using ctx = withCancel(background());
      const text = `select pg_sleep(60) ${mark()}`;
      const query = runWithContext(ctx, async () => {
        await sleep(background(), 1); // it follows an await
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

  test("callbacks too", async () => {
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

  test("the innermost run counts", async () => {
    const db = pool();
    using outer = withCancel(background());
    await runWithContext(outer, async () => {
      const client = await db.connect();
      using inner = withTimeout(outer, 50);
      expect(await runWithContext(inner, () => failure(client.query("select pg_sleep(60)")))).toBe(
        inner.err(),
      );
      expect((await client.query("select 1 as n")).rows).toEqual([{ n: 1 }]);
      client.release();
    });
    expectWhole(db);
  });

  test("outside is without", async () => {
    const db = pool();
    using gone = withCancel(background());
    gone.cancel();
    await runWithContext(gone, async () => {
      expect(await failure(db.query("select 1"))).toBe(gone.err());
      expect((await runWithoutContext(() => db.query("select 1 as n"))).rows).toEqual([{ n: 1 }]);
    });
  });

  test("bind counts as well", async () => {
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

describe("whose query is it", () => {
  test("of whoever asked, and not of whoever's release served the wait", async () => {
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
    const ofNobody = new Promise((resolve) =>
      db.query("select 8 as n", (error, result) => resolve(error ?? result.rows)),
    );
    runWithContext(first, () => holder.release());
    first.cancel();
    expect((await byPromise).rows[0]!.n).toBe(7);
    expect(await byCallback).toMatchObject({ n: 7 });
    expect(await ofNobody).toEqual([{ n: 8 }]);
    expectWhole(db);
  });

  test("of the run that asked for its connection, when a stranger's is in force", async () => {
    const db = pool();
    using mine = withCancel(background());
    using strangers = withCancel(background());
    strangers.cancel();
    const client = await runWithContext(mine, () => db.connect());
    const rows = await runWithContext(strangers, () => client.query("select 1 as n"));
    expect(rows.rows).toEqual([{ n: 1 }]);
    mine.cancel();
    expect(await failure(client.query("select 1"))).toBe(mine.err());
    client.release();
    expectWhole(db);
  });

  test("of the run in force, when the connection was asked for outside of any", async () => {
    const db = pool();
    const client = await db.connect();
    using ctx = withCancel(background());
    ctx.cancel();
    expect(await runWithContext(ctx, () => failure(client.query("select 1")))).toBe(ctx.err());
    expect((await client.query("select 1 as n")).rows).toEqual([{ n: 1 }]);
    client.release();
    expectWhole(db);
  });

  test("of nobody, when the pool sets a connection up", async () => {
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

test("run says what is wrong with its arguments", () => {
  expect(() => runWithContext("x" as never, () => 1)).toThrow(/runWithContext needs a Context/);
  expect(() => runWithContext(background(), 1 as never)).toThrow(/takes a function/);
  expect(runWithContext(background(), () => 7)).toBe(7);
  const promise = Promise.resolve(7);
  expect(runWithContext(background(), () => promise)).toBe(promise);
  expectTypeOf(runWithContext(background(), () => promise)).toEqualTypeOf<Promise<number>>();
});

import type { Pool } from "mysql2";
import promises from "mysql2/promise";
import { beforeEach, expect, expectTypeOf, onTestFinished, test, vi } from "vitest";
import { background, sleep, withCancel, withTimeout } from "../../index.ts";
import {
  describeServers,
  mark,
  observer,
  until,
  type Observer,
} from "../../../test/support/mysql/servers.ts";
import {
  callbackPool,
  connect,
  errorOf,
  expectWhole,
  isRunning,
  PATIENT,
  promisePool,
  send,
} from "../../../test/support/mysql/orms.ts";
import { failure } from "../../../test/support/orms.ts";
import { currentContext, runWithContext, runWithoutContext } from "../../current/index.ts";
import { bind, contextPool } from "../index.ts";

vi.setConfig({ testTimeout: 60_000, hookTimeout: 60_000 });

describeServers("contextPool of eightysix/mysql2", (server) => {
  let look: Observer;
  beforeEach(async () => {
    look = await observer(server.url());
  });

  test("takes a pool of either kind, and nothing else", async () => {
    const db = contextPool(callbackPool(server));
    expectTypeOf(db).toEqualTypeOf<Pool>();
    const withPromises = contextPool(promisePool(server));
    expectTypeOf(withPromises).toEqualTypeOf<promises.Pool>();
    const connection = await promises.createConnection(server.url());
    onTestFinished(() => connection.destroy());
    expect(() => contextPool(connection as never)).toThrow(/got a connection/);
    expect(() => contextPool(promises.createPool as never)).toThrow(/contextPool of eightysix/);
  });

  test("works as the pool itself without a current context", async () => {
    const pool = callbackPool(server);
    const db = contextPool(pool, PATIENT);
    expect(await send(db, "select 1 as n")).toEqual([{ n: 1 }]);
    expect(await db.promise().query("select 1 as n")).toMatchObject([[{ n: 1 }], {}]);
    const connection = await connect(db);
    expect(await send(connection, "select 2 as n")).toEqual([{ n: 2 }]);
    expect(await failure(connection.promise().query("selekt"))).toMatchObject({ errno: 1064 });
    const rows: unknown[] = [];
    for await (const row of connection.query("select 3 as n").stream()) rows.push(row);
    expect(rows).toEqual([{ n: 3 }]);
    expect(await errorOf(connection.query("select 4 as n"))).toBeUndefined();
    connection.release();
    await expectWhole(pool);
    const own = promises.createPool({ uri: server.url() });
    await contextPool(own).end();
    expect(await failure(own.query("select 1"))).toMatchObject({ message: "Pool is closed." });
  });

  test("stops the statements of the pool and of its connections when the context ends", async () => {
    const pool = promisePool(server);
    const db = contextPool(pool, PATIENT);
    for (const way of ["pool", "connection"]) {
      using ctx = withCancel(background());
      const text = `select sleep(60) ${mark()}`;
      const query = runWithContext(ctx, async () => {
        await sleep(background(), 1); // the current context follows an await
        if (way === "pool") return await failure(db.query(text));
        const connection = await db.getConnection();
        try {
          return await failure(connection.query(text));
        } finally {
          connection.release();
        }
      });
      await isRunning(look, text);
      ctx.cancel();
      expect(await query).toBe(ctx.err());
      expect(await look.running(text)).toBe(0);
      await expectWhole(pool);
    }
  });

  test("passes ctx.err() to the callback of a query that was stopped", async () => {
    const pool = callbackPool(server);
    const db = contextPool(pool, PATIENT);
    await send(db, "select 1"); // connected
    using ctx = withTimeout(background(), 50);
    const answer = runWithContext(ctx, () => {
      return new Promise((resolve) => db.query("select sleep(60)", (error) => resolve(error)));
    });
    expect(await answer).toBe(ctx.err());
    await expectWhole(pool);
  });

  test("uses the context of the innermost runWithContext, and none inside runWithoutContext", async () => {
    const pool = promisePool(server);
    const db = contextPool(pool, PATIENT);
    using outer = withCancel(background());
    await runWithContext(outer, async () => {
      const connection = await db.getConnection();
      using inner = withTimeout(outer, 50);
      const slow = runWithContext(inner, () => failure(connection.query("select sleep(60)")));
      expect(await slow).toBe(inner.err());
      expect(await connection.query("select 1 as n")).toMatchObject([[{ n: 1 }], {}]);
      connection.release();
      outer.cancel();
      expect(await failure(db.query("select 1"))).toBe(outer.err());
      const free = runWithoutContext(() => db.query("select 1 as n"));
      expect(await free).toMatchObject([[{ n: 1 }], {}]);
    });
    await expectWhole(pool);
  });

  test("runs a statement in the context in which its connection was leased, wherever it is sent", async () => {
    const pool = promisePool(server);
    const db = contextPool(pool, PATIENT);
    using mine = withCancel(background());
    using other = withCancel(background());
    other.cancel();
    const connection = await runWithContext(mine, () => db.getConnection());
    const rows = await runWithContext(other, () => connection.query("select 1 as n"));
    expect(rows).toMatchObject([[{ n: 1 }], {}]);
    mine.cancel();
    expect(await failure(connection.query("select 1"))).toBe(mine.err());
    connection.release();
    await expectWhole(pool);
  });

  test("does not let a statement without a context be hit by the KILL of another on its connection", async () => {
    const pool = promisePool(server);
    const db = contextPool(pool, PATIENT);
    const connection = await db.getConnection();
    using ctx = withCancel(background());
    // From now on, nothing is asked before a statement of the connection.
    await runWithContext(ctx, () => connection.query("select 1"));
    const text = `select 7 as i, sleep(0.3) ${mark()}`;
    const innocent = connection.query(text);
    const waiting = runWithContext(ctx, () => failure(connection.query("select 1")));
    await isRunning(look, text);
    ctx.cancel();
    expect(await waiting).toBe(ctx.err());
    expect(await innocent).toMatchObject([[{ i: 7 }], {}]);
    connection.release();
    await expectWhole(pool);
  });

  test("runs a query in the context that asked for it, and not in that of the release that ended its wait", async () => {
    const pool = promisePool(server);
    const db = contextPool(pool, PATIENT);
    using first = withCancel(background());
    using second = withCancel(background());
    const holder = await runWithContext(first, () => db.getConnection());
    const text = `select 7 as i, sleep(0.2) ${mark()}`;
    const byPromise = runWithContext(second, () => db.query(text));
    const byCallback = runWithContext(second, async () => await send(db.pool, text));
    const withoutContext = db.query("select 8 as i");
    runWithContext(first, () => holder.release());
    first.cancel();
    expect(await byPromise).toMatchObject([[{ i: 7 }], {}]);
    expect(await byCallback).toMatchObject([{ i: 7 }]);
    expect(await withoutContext).toMatchObject([[{ i: 8 }], {}]);
    await expectWhole(pool);
  });

  test("lets what the pool's listeners send belong to no context", async () => {
    const pool = callbackPool(server);
    const db = contextPool(pool, PATIENT);
    using ctx = withCancel(background());
    let isSetUp = false;
    let current: unknown;
    pool.on("connection", (connection) => {
      current = currentContext();
      ctx.cancel();
      connection.query("set @set_up = 7", (error) => void (isSetUp = error === null));
    });
    expect(await runWithContext(ctx, () => failure(connect(db)))).toBe(ctx.err());
    await until(() => isSetUp);
    expect(current).toBeUndefined();
    await expectWhole(pool);
    expect(await send(db, "select @set_up as n")).toEqual([{ n: 7 }]);
  });

  test("also stops with the context of bind", async () => {
    const pool = promisePool(server);
    const db = contextPool(pool, PATIENT);
    using ctx = withCancel(background());
    using bound = withCancel(background());
    const connection = await runWithContext(ctx, () => bind(bound, db, PATIENT).getConnection());
    const text = `select sleep(60) ${mark()}`;
    const slow = failure(connection.query(text));
    await isRunning(look, text);
    bound.cancel();
    expect(await slow).toBe(bound.err());
    connection.release();
    await expectWhole(pool);
    const other = await runWithContext(ctx, () => bind(background(), db).getConnection());
    ctx.cancel();
    expect(await runWithContext(ctx, () => failure(other.query("select 1")))).toBe(ctx.err());
    other.release();
    await expectWhole(pool);
  });
});

import Cursor from "pg-cursor";
import pg from "pg";
import { beforeEach, describe, expect, expectTypeOf, test, vi } from "vitest";
import { background, stopped, withCancel, withLedger, withTimeout, working } from "../../index.ts";
import {
  mark,
  observer,
  postgresUrl,
  testClient,
  testPool,
  until,
  type Observer,
} from "../../../test/support/postgres.ts";
import { startProxy } from "../../../test/support/proxy.ts";
import { expectWhole, failure, table } from "../../../test/support/orms.ts";
import { NothingCommittedError } from "../../adapter/index.ts";
import { bind } from "../index.ts";

vi.setConfig({ testTimeout: 60_000, hookTimeout: 60_000 });

let look: Observer;
beforeEach(async () => {
  look = await observer();
});

describe("a bound pool", () => {
  test("is an instance of Pool, with the pool's own properties and events", async () => {
    const pool = testPool({ max: 3 });
    const bound = bind(background(), pool);
    expectTypeOf(bound).toEqualTypeOf<pg.Pool>();
    expect(bound).toBeInstanceOf(pg.Pool);
    expect((Object.getPrototypeOf(bound) as object).constructor.name).toContain("Pool");
    expect(bound.options).toBe(pool.options);
    await bound.query("select 1");
    expect(bound.totalCount).toBe(1);
    const events: string[] = [];
    expect(bound.on("acquire", () => events.push("acquire"))).toBe(bound);
    await pool.query("select 1");
    expect(events).toEqual(["acquire"]);
  });

  test("does nothing in `end`, because the pool still belongs to its owner", async () => {
    const pool = testPool();
    const bound = bind(background(), pool);
    await bound.end();
    await new Promise<void>((resolve) => bound.end(resolve));
    expect((await pool.query("select 1 as n")).rows).toEqual([{ n: 1 }]);
  });

  test("refuses other drivers and wrong options with an error that says what to write", async () => {
    const pool = testPool();
    expect(() => bind("select" as never, pool)).toThrow(/bind\(ctx, pool\)/);
    expect(() => bind(background(), new Date() as never)).toThrow(/Pool or a Client/);
    expect(() => bind(background(), pool, { onCancel: "x" as never })).toThrow(/"reuse"/);
    class Pipelined extends pg.Client {
      override pipeline = true;
    }
    const pipelined = testPool({ Client: Pipelined });
    await expect(bind(background(), pipelined).connect()).rejects.toThrow(/pipeline/);
    expectWhole(pipelined);
  });
});

describe("a query through bind", () => {
  const forms = (db: pg.Pool | pg.PoolClient | pg.Client) => ({
    text: () => db.query("select 1 as n"),
    values: () => db.query("select $1::int as n", [1]),
    config: () => db.query({ text: "select $1::int as n", values: [1] }),
    "config and values": () => db.query({ text: "select $1::int as n" }, [1]),
    named: () => db.query({ name: "one", text: "select 1 as n" }),
    "text, callback": () =>
      new Promise((resolve, reject) =>
        db.query("select 1 as n", (error, result) => (error ? reject(error) : resolve(result))),
      ),
    "values, callback": () =>
      new Promise((resolve, reject) =>
        db.query("select $1::int as n", [1], (error, result) =>
          error ? reject(error) : resolve(result),
        ),
      ),
  });

  test.each(Object.keys(forms(undefined as never)))(
    "in the form %s returns pg's result, and rejects with ctx.err() if its context is done",
    async (form) => {
      const pool = testPool({ max: 1 });
      const name = form as keyof ReturnType<typeof forms>;
      const bound = bind(background(), pool);
      expect(await forms(bound)[name]()).toMatchObject({ rows: [{ n: 1 }], command: "SELECT" });
      const client = await bound.connect();
      expect(client).toBeInstanceOf(pg.Client);
      expect(await forms(client)[name]()).toMatchObject({ rows: [{ n: 1 }], command: "SELECT" });
      client.release();
      expectWhole(pool);

      using gone = withCancel(background());
      gone.cancel();
      expect(await failure(forms(bind(gone, pool))[name]())).toBe(gone.err());
      expect(await failure(forms(bind(gone, await testClient()))[name]())).toBe(gone.err());
    },
  );

  test("of a client calls the callback of its config object, and that of a pg.Query", async () => {
    const client = await testClient();
    const both = (db: pg.Client): Promise<unknown[]> =>
      Promise.all([
        new Promise((resolve) => {
          const callback = (...answer: unknown[]): void => resolve(answer);
          void db.query({ text: "select 1 as n", callback } as pg.QueryConfig);
        }),
        new Promise((resolve) =>
          db.query(new pg.Query("select 1 as n", (...answer: unknown[]) => resolve(answer))),
        ),
      ]);
    const rows = { rows: [{ n: 1 }] };
    expect(await both(bind(background(), client))).toMatchObject([
      [null, rows],
      [null, rows],
    ]);
    using gone = withCancel(background());
    gone.cancel();
    expect(await both(bind(gone, client))).toEqual([[gone.err()], [gone.err()]]);
  });

  test("is refused with pg's own errors", async () => {
    const pool = testPool({ max: 1 });
    const bound = bind(background(), pool);
    const client = await bound.connect();
    expect(() => client.query(undefined as never)).toThrow(/null or undefined/);
    await expect(client.query("selekt")).rejects.toMatchObject({ code: "42601" });
    client.release();
    await expect(bound.query("selekt")).rejects.toMatchObject({ code: "42601" });
    expectWhole(pool);
  });

  test("that is a pg.Query and has ended is not running work, and its cancel hits no other query", async () => {
    const client = await testClient();
    using ctx = withCancel(withLedger(background()));
    const query = bind(ctx, client).query(new pg.Query("select 1"));
    await new Promise((resolve) => query.on("end", resolve));
    await until(() => working(ctx).length === 0);
    const next = client.query("select 2 as n, pg_sleep(0.2)");
    ctx.cancel();
    expect((await next).rows).toMatchObject([{ n: 2 }]);
  });

  test("that is a pg.Query stops on the server, and emits ctx.err() as its error", async () => {
    const client = await testClient();
    using ctx = withCancel(withLedger(background()));
    const text = `select n, case when n = 3 then pg_sleep(60) end from generate_series(1, 3) n ${mark()}`;
    const query = bind(ctx, client).query(new pg.Query(text));
    const error = new Promise((resolve) => query.on("error", resolve));
    await until(async () => (await look.running(text)) === 1);
    ctx.cancel();
    expect(await error).toBe(ctx.err());
    expect(await stopped(ctx)).toMatchObject([{ kind: "pg.query", state: "stopped" }]);
    expect((await client.query("select 1 as n")).rows).toEqual([{ n: 1 }]);
  });
});

describe("connect through bind", () => {
  test("passes the client and its release to a callback", async () => {
    const pool = testPool({ max: 1 });
    const bound = bind(background(), pool);
    const rows = await new Promise((resolve, reject) => {
      bound.connect((error, client, release) => {
        if (client === undefined) return void reject(error!);
        client.query("select 1 as n", (_, result) => {
          release();
          resolve(result.rows);
        });
      });
    });
    expect(rows).toEqual([{ n: 1 }]);
    expectWhole(pool);
  });

  test("returns the same object for the same connection", async () => {
    const bound = bind(background(), testPool({ max: 1 }));
    const first = await bound.connect();
    first.release();
    const second = await bound.connect();
    second.release();
    expect(second).toBe(first);
    expect(() => second.release()).toThrow(/already been released/);
  });

  test("returns a connection whose second release throws, and leaves the next lease alone", async () => {
    const pool = testPool({ max: 1 });
    const first = await bind(background(), pool).connect();
    first.release();
    const second = await bind(background(), pool).connect();
    expect(() => first.release()).toThrow(/already been released/);
    expect(() => first.release(true)).toThrow(/already been released/);
    expect(pool).toMatchObject({ totalCount: 1, idleCount: 0 });
    expect((await second.query("select 1 as n")).rows).toEqual([{ n: 1 }]);
    second.release();
    expectWhole(pool);
  });

  test("stops waiting when its context ends, and the connection that is granted later goes back", async () => {
    const pool = testPool({ max: 1 });
    const holder = await pool.connect();
    using ctx = withCancel(background());
    const bound = bind(ctx, pool);
    const waits = [failure(bound.connect()), failure(bound.query("select 1"))];
    const byCallback = new Promise((resolve) => bound.connect((error) => resolve(error)));
    expect(pool.waitingCount).toBe(3);
    ctx.cancel();
    expect(await Promise.all([...waits, byCallback])).toEqual([ctx.err(), ctx.err(), ctx.err()]);
    holder.release();
    await until(() => pool.waitingCount === 0 && pool.idleCount === 1);
    expectWhole(pool);
  });

  test("leaves nothing behind in the pool, even if a hundred calls stop waiting together", async () => {
    const pool = testPool({ max: 1 });
    const holder = await pool.connect();
    using ctx = withCancel(background());
    const bound = bind(ctx, pool);
    const waits = Array.from({ length: 100 }, () => failure(bound.connect()));
    const patient = pool.query("select 1");
    ctx.cancel();
    for (const wait of waits) expect(await wait).toBe(ctx.err());
    holder.release();
    await patient;
    expectWhole(pool);
  });

  test("rejects with pg's own error if the server refuses the connection", async () => {
    const pool = testPool({ max: 1, database: "nosuch", connectionString: undefined });
    const url = new URL(postgresUrl());
    Object.assign(pool.options, {
      host: url.hostname,
      port: Number(url.port || 5432),
      user: url.username,
      password: url.password,
    });
    await expect(bind(background(), pool).connect()).rejects.toMatchObject({ code: "3D000" });
  });
});

describe("a transaction through bind", () => {
  test("stops, is rolled back, and its connection is used again", async () => {
    const pool = testPool({ max: 1 });
    const name = await table(look);
    using ctx = withCancel(withLedger(background()));
    const client = await bind(ctx, pool).connect();
    const { rows } = await client.query<{ pid: number }>("select pg_backend_pid() as pid");
    await client.query("begin");
    await client.query(`insert into ${name} values (1)`);
    const text = `select pg_sleep(60) ${mark()}`;
    const slow = failure(client.query(text));
    await until(async () => (await look.running(text)) === 1);
    ctx.cancel();
    expect(await slow).toBe(ctx.err());
    expect(await look.running(text)).toBe(0);
    expect(await failure(client.query("select 1"))).toBe(ctx.err());
    expect(await client.query("rollback")).toMatchObject({ command: "ROLLBACK" });
    client.release();
    expectWhole(pool);
    expect((await pool.query("select pg_backend_pid() as pid")).rows).toEqual(rows);
    expect((await look.query(`select * from ${name}`)).rows).toEqual([]);
    expect((await stopped(ctx)).map((receipt) => receipt.state)).toEqual(["stopped", "stopped"]);
  });

  test("sends ROLLBACK in place of a COMMIT when its context is done", async () => {
    const pool = testPool({ max: 1 });
    const name = await table(look);
    using ctx = withCancel(background());
    const client = await bind(ctx, pool).connect();
    await client.query("begin");
    await client.query(`insert into ${name} values (1)`);
    ctx.cancel();
    expect(await failure(client.query("/* tracer */ COMMIT;"))).toBe(ctx.err());
    client.release(); // not every ORM rolls back after a COMMIT that failed
    expectWhole(pool);
    expect((await look.query(`select * from ${name}`)).rows).toEqual([]);
    expect((await pool.query("select 1 as n")).rows).toEqual([{ n: 1 }]);
  });

  test.each(["rollback", "begin"])(
    "refuses the statements after a %s in the same text when its context is done",
    async (first) => {
      const pool = testPool({ max: 1 });
      const name = await table(look);
      using ctx = withCancel(background());
      const client = await bind(ctx, pool).connect();
      ctx.cancel();
      const text = `${first}; insert into ${name} values (1); commit`;
      expect(await failure(client.query(text))).toBe(ctx.err());
      expect(await client.query("rollback; -- done")).toMatchObject({ command: "ROLLBACK" });
      client.release();
      expectWhole(pool);
      expect((await look.query(`select * from ${name}`)).rows).toEqual([]);
    },
  );

  test("waits for a COMMIT that was sent, and resolves with its result", async () => {
    const pool = testPool({ max: 1 });
    const name = await table(look);
    // A deferred check takes its time within COMMIT.
    await look.query(`create function ${name}_f() returns trigger language plpgsql as
      $$ begin perform pg_sleep(0.3); return null; end $$`);
    await look.query(`create constraint trigger slow after insert on ${name}
      deferrable initially deferred for each row execute function ${name}_f()`);
    using ctx = withCancel(background());
    const client = await bind(ctx, pool).connect();
    await client.query("begin");
    await client.query(`insert into ${name} values (1)`);
    const commit = client.query(`commit ${mark()}`);
    await until(async () => (await look.running("commit")) === 1);
    ctx.cancel();
    expect(await commit).toMatchObject({ command: "COMMIT" });
    client.release();
    expectWhole(pool);
    expect((await look.query(`select * from ${name}`)).rows).toEqual([{ id: 1 }]);
  });

  test("rejects with NothingCommittedError when the server answers COMMIT with ROLLBACK", async () => {
    const pool = testPool({ max: 1 });
    const client = await bind(background(), pool).connect();
    await client.query("begin");
    await failure(client.query("select 1/0"));
    const error = await failure(client.query("commit"));
    expect(error).toBeInstanceOf(NothingCommittedError);
    expect(error).toMatchObject({ code: "ERR_NOTHING_COMMITTED" });
    client.release();
    expectWhole(pool);
  });

  test("continues after a rollback to a savepoint while its context is live", async () => {
    const pool = testPool({ max: 1 });
    const name = await table(look);
    const client = await pool.connect();
    await client.query("begin");
    await client.query(`insert into ${name} values (1)`);
    using ctx = withTimeout(background(), 100);
    const part = bind(ctx, client);
    await part.query("savepoint a");
    await part.query(`insert into ${name} values (2)`);
    expect(await failure(part.query("select pg_sleep(60)"))).toBe(ctx.err());
    expect(await failure(part.query("release savepoint a"))).toBe(ctx.err());
    await part.query("rollback to savepoint a");
    await client.query("commit");
    client.release();
    expectWhole(pool);
    expect((await look.query(`select * from ${name}`)).rows).toEqual([{ id: 1 }]);
  });

  test("that is left open when its context ends costs the connection", async () => {
    const pool = testPool({ max: 1 });
    using ctx = withCancel(background());
    const client = await bind(ctx, pool).connect();
    await client.query("begin");
    ctx.cancel();
    client.release();
    await until(() => pool.totalCount === 0);
    const { rows } = await pool.query<{ n: number }>("select 1 as n");
    expect(rows).toEqual([{ n: 1 }]);
    expectWhole(pool);
  });

  test("stops all queries that were sent together, and then rolls back", async () => {
    const pool = testPool({ max: 1 });
    using ctx = withCancel(background());
    const client = await bind(ctx, pool).connect();
    await client.query("begin");
    const text = `select pg_sleep(60) ${mark()}`;
    const all = [1, 2, 3].map(() => failure(client.query(text)));
    await until(async () => (await look.running(text)) === 1);
    ctx.cancel();
    const rollback = client.query("rollback");
    expect(await Promise.all(all)).toEqual([ctx.err(), ctx.err(), ctx.err()]);
    expect(await rollback).toMatchObject({ command: "ROLLBACK" });
    client.release();
    expectWhole(pool);
  });

  test("loses its connection if the server does not answer its ROLLBACK within the stop timeout", async () => {
    const url = new URL(postgresUrl());
    const proxy = await startProxy({ host: url.hostname, port: Number(url.port || 5432) });
    const pool = testPool({ connectionString: postgresUrl(proxy), max: 1 });
    using ctx = withCancel(background());
    const client = await bind(ctx, pool, { stopTimeout: 200 }).connect();
    await client.query("begin");
    ctx.cancel();
    proxy.links[0]!.stall();
    const before = performance.now();
    expect(await failure(client.query("rollback"))).toBe(ctx.err());
    expect(performance.now() - before).toBeLessThan(5_000);
    client.release();
    await until(() => pool.totalCount === 0);
    expect((await pool.query("select 1 as n")).rows).toEqual([{ n: 1 }]);
  });
});

test("a query in a transaction that does not stop within the stop timeout costs the connection", async () => {
  const url = new URL(postgresUrl());
  const proxy = await startProxy({ host: url.hostname, port: Number(url.port || 5432) });
  const pool = testPool({ connectionString: postgresUrl(proxy), max: 1 });
  using ctx = withCancel(withLedger(background()));
  const client = await bind(ctx, pool, { stopTimeout: 200 }).connect();
  await client.query("begin");
  const text = `select pg_sleep(60) ${mark()}`;
  const slow = failure(client.query(text));
  await until(async () => (await look.running(text)) === 1);
  proxy.links[0]!.stall();
  ctx.cancel();
  expect(await slow).toBe(ctx.err());
  expect(await failure(client.query("rollback"))).toBe(ctx.err());
  client.release();
  await until(() => pool.totalCount === 0);
  expect(await look.running(text)).toBe(0);
  expect((await stopped(ctx))[0]).toMatchObject({ state: "abandoned" });
});

describe("an error that the context did not cause passes untouched", () => {
  test("a cancellation by the user's own statement_timeout", async () => {
    const pool = testPool({ max: 1, statement_timeout: 100 });
    using ctx = withCancel(background());
    const client = await bind(ctx, pool).connect();
    await client.query("begin");
    await expect(client.query("select pg_sleep(60)")).rejects.toMatchObject({ code: "57014" });
    await client.query("rollback");
    client.release();
    expectWhole(pool);
  });

  test("the end of a connection by the server", async () => {
    const pool = testPool({ max: 1 });
    using ctx = withCancel(background());
    const client = await bind(ctx, pool).connect();
    client.on("error", () => undefined);
    await client.query("begin");
    const text = `select pg_sleep(60) ${mark()}`;
    const slow = failure(client.query(text));
    await until(async () => (await look.running(text)) === 1);
    await look.query(
      "select pg_terminate_backend(pid) from pg_stat_activity where position($1 in query) > 0 and pid <> pg_backend_pid()",
      [text],
    );
    expect(await slow).toMatchObject({ code: "57P01" });
    await expect(client.query("rollback")).rejects.toThrow(/not queryable|terminated/);
    ctx.cancel();
    expect(await failure(client.query("rollback"))).toBe(ctx.err());
    client.release();
    await until(() => pool.totalCount === 0);
  });

  test("the failure of a deferred constraint at COMMIT", async () => {
    const pool = testPool({ max: 1 });
    const name = await table(look);
    await look.query(`alter table ${name} add unique (id) deferrable initially deferred`);
    await look.query(`alter table ${name} drop constraint ${name}_pkey`);
    const client = await bind(background(), pool).connect();
    await client.query("begin");
    await client.query(`insert into ${name} values (1), (1)`);
    await expect(client.query("commit")).rejects.toMatchObject({ code: "23505" });
    client.release();
    expectWhole(pool);
  });
});

test("with onCancel: destroy, a transaction that is stopped loses its connection, and its ROLLBACK rejects", async () => {
  const pool = testPool({ max: 1 });
  using ctx = withCancel(background());
  const client = await bind(ctx, pool, { onCancel: "destroy" }).connect();
  await client.query("begin");
  const text = `select pg_sleep(60) ${mark()}`;
  const slow = failure(client.query(text));
  await until(async () => (await look.running(text)) === 1);
  ctx.cancel();
  expect(await slow).toBe(ctx.err());
  expect(await failure(client.query("rollback"))).toBe(ctx.err());
  client.release();
  await until(() => pool.totalCount === 0);
  expect((await pool.query("select 1 as n")).rows).toEqual([{ n: 1 }]);
});

test("binding a client many times leaves no listeners on it", async () => {
  const client = await testClient();
  const inside = (client as unknown as { connection: NodeJS.EventEmitter }).connection;
  await bind(background(), client).query("select 1");
  const before = inside.listenerCount("readyForQuery");
  for (let i = 0; i < 20; i++) await bind(background(), client).query("select 1");
  expect(inside.listenerCount("readyForQuery")).toBe(before);
});

test("a config object can be used again, through bind and without it", async () => {
  const client = await testClient();
  for (const text of ["select 1", "begin", "rollback", "begin", "commit"]) {
    const config = { text };
    await bind(background(), client).query(config);
    await bind(background(), client).query(config);
    expect(await client.query(config)).toMatchObject({
      rowCount: text.startsWith("select") ? 1 : null,
    });
  }
});

describe("a cursor through bind", () => {
  const slowRows = (n: number): string =>
    `select i, case when i > ${n} then pg_sleep(60) end from generate_series(1, ${n + 5}) i ${mark()}`;

  test("reads all rows, by promises and by callbacks", async () => {
    const pool = testPool({ max: 1 });
    const client = await bind(background(), pool).connect();
    const cursor = client.query(new Cursor<{ i: number }>("select i from generate_series(1, 5) i"));
    expect((await cursor.read(3)).map((row) => row.i)).toEqual([1, 2, 3]);
    const rest = await new Promise<unknown[]>((resolve) =>
      cursor.read(3, (_error, rows, result) => resolve([rows, result.command])),
    );
    expect(rest).toEqual([[{ i: 4 }, { i: 5 }], "SELECT"]);
    expect(await cursor.read(3)).toEqual([]);
    await cursor.close();
    expect((await client.query("select 1 as n")).rows).toEqual([{ n: 1 }]);
    client.release();
    expectWhole(pool);
  });

  test("stops the read that is running, and `close` resolves", async () => {
    const pool = testPool({ max: 1 });
    using ctx = withCancel(withLedger(background()));
    const client = await bind(ctx, pool).connect();
    const text = slowRows(5);
    const cursor = client.query(new Cursor(text));
    expect((await cursor.read(5)).length).toBe(5);
    const reading = failure(cursor.read(5));
    await until(async () => (await look.running(text)) === 1);
    ctx.cancel();
    expect(await reading).toBe(ctx.err());
    expect(await look.running(text)).toBe(0);
    expect(await failure(cursor.read(5))).toBe(ctx.err());
    await cursor.close();
    client.release();
    expectWhole(pool);
    expect(await stopped(ctx)).toMatchObject([{ state: "stopped" }, {}]);
    expect((await pool.query("select 1 as n")).rows).toEqual([{ n: 1 }]);
  });

  test("rejects the next read if its context ends between reads, and `close` returns the connection", async () => {
    const pool = testPool({ max: 1 });
    using ctx = withCancel(background());
    const client = await bind(ctx, pool).connect();
    const cursor = client.query(new Cursor("select i from generate_series(1, 100) i"));
    await cursor.read(5);
    ctx.cancel();
    expect(await failure(cursor.read(5))).toBe(ctx.err());
    await new Promise<void>((resolve) => cursor.close(() => resolve()));
    client.release();
    expectWhole(pool);
    expect((await pool.query("select 1 as n")).rows).toEqual([{ n: 1 }]);
  });

  test("that is closed during a read and then canceled is stopped, and the next query is not hit", async () => {
    const pool = testPool({ max: 1 });
    using ctx = withCancel(background());
    const client = await bind(ctx, pool, { onCancel: "reuse" }).connect();
    const text = slowRows(0);
    const cursor = client.query(new Cursor(text));
    void cursor.read(5).catch(() => undefined);
    await until(async () => (await look.running(text)) === 1);
    const closing = cursor.close();
    const next = client.query("rollback");
    ctx.cancel();
    await closing;
    expect(await next).toMatchObject({ command: "ROLLBACK" });
    client.release();
    expectWhole(pool);
  });

  test("that is closed before its rows were described leaves the connection in step with the server", async () => {
    const pool = testPool({ max: 1 });
    for (const sql of [
      "select pg_sleep(60)",
      "select 1",
      "do $$ begin perform pg_sleep(60); end $$",
    ]) {
      using ctx = withCancel(background());
      const client = await bind(ctx, pool, { onCancel: "reuse" }).connect();
      const cursor = client.query(new Cursor(`${sql} ${mark()}`));
      void cursor.read(5).catch(() => undefined);
      void cursor.read(5).catch(() => undefined);
      const closing = cursor.close();
      setTimeout(() => ctx.cancel(), 5);
      await closing;
      expect(await client.query("rollback")).toMatchObject({ command: "ROLLBACK" });
      client.release();
      expectWhole(pool);
    }
  });

  test("stops a read that was asked for while the cursor waited behind another query", async () => {
    const pool = testPool({ max: 1 });
    using ctx = withCancel(background());
    const client = await bind(ctx, pool).connect();
    const first = client.query("select pg_sleep(0.2)");
    const text = slowRows(0);
    const cursor = client.query(new Cursor(text));
    const reading = failure(cursor.read(5));
    await first;
    await until(async () => (await look.running(text)) === 1);
    ctx.cancel();
    expect(await reading).toBe(ctx.err());
    expect(await look.running(text)).toBe(0);
    await cursor.close();
    client.release();
    expectWhole(pool);
  });

  test("sends nothing if its context ends while it waits behind another query", async () => {
    const pool = testPool({ max: 1 });
    using ctx = withCancel(background());
    const client = await bind(ctx, pool).connect();
    const text = `select pg_sleep(60) ${mark()}`;
    const first = failure(client.query(text));
    const cursor = client.query(new Cursor("select 1"));
    const reading = failure(cursor.read(1));
    await until(async () => (await look.running(text)) === 1);
    ctx.cancel();
    expect(await first).toBe(ctx.err());
    expect(await reading).toBe(ctx.err());
    await cursor.close();
    client.release();
    expectWhole(pool);
  });
});

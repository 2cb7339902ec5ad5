import pg from "pg";
import { beforeEach, describe, expect, expectTypeOf, onTestFinished, test, vi } from "vitest";
import {
  background,
  CanceledError,
  DeadlineExceededError,
  sleep,
  stopped,
  withCancel,
  withLedger,
  withTimeout,
  working,
} from "../index.ts";
import {
  mark,
  observer,
  postgresUrl,
  testClient,
  testPool,
  until,
  type Observer,
} from "../../test/support/postgres.ts";
import { startProxy } from "../../test/support/proxy.ts";
import { withContext, type ContextQueries } from "./index.ts";

const cpuHeavy = "select count(*) from generate_series(1, 100000) a, generate_series(1, 100000) b";

vi.setConfig({ testTimeout: 60_000, hookTimeout: 60_000 });

let look: Observer;
beforeEach(async () => {
  look = await observer();
});

async function pidOf(pool: pg.Pool): Promise<number> {
  const { rows } = await pool.query<{ pid: number }>("select pg_backend_pid() as pid");
  return rows[0]!.pid;
}

/** Expects that all connections are back in the pool. */
function expectWhole(pool: pg.Pool): void {
  expect(pool.waitingCount).toBe(0);
  expect(pool.idleCount).toBe(pool.totalCount);
}

describe("a query from a pool", () => {
  test("takes every form of arguments that pg takes, and resolves with pg's own result", async () => {
    const pool = testPool();
    const db = withContext(pool);
    const ctx = background();
    const types = { getTypeParser: () => (text: string) => `<${text}>` };

    expect(await db.query(ctx, "select 1 as one, 'x' as x")).toEqual(
      await pool.query("select 1 as one, 'x' as x"),
    );
    expect((await db.query(ctx, "select $1::int + 1 as n", [41])).rows).toEqual([{ n: 42 }]);
    expect((await db.query(ctx, { text: "select $1::int as n", values: [7] })).rows).toEqual([
      { n: 7 },
    ]);
    expect((await db.query(ctx, { text: "select $1::int as n" }, [8])).rows).toEqual([{ n: 8 }]);
    expect((await db.query(ctx, { name: "seven", text: "select 7 as n" })).rows).toEqual([
      { n: 7 },
    ]);
    expect((await db.query(ctx, { name: "seven", text: "select 7 as n" })).rows).toEqual([
      { n: 7 },
    ]);
    expect((await db.query(ctx, { text: "select 1, 2", rowMode: "array" })).rows).toEqual([[1, 2]]);
    expect((await db.query(ctx, { text: "select 1 as n", types })).rows).toEqual([{ n: "<1>" }]);
    expect(await db.query(ctx, "select 1 as a; select 2 as b")).toMatchObject([
      { rows: [{ a: 1 }] },
      { rows: [{ b: 2 }] },
    ]);
    expectWhole(pool);
  });

  test("has the result type of the driver", () => {
    type Row = { id: string };
    const type = async (pool: pg.Pool, client: pg.Client, leased: pg.PoolClient): Promise<void> => {
      const db = withContext(pool);
      const result = await db.query<Row>(background(), "select id from t");
      expectTypeOf(result).toExtend<pg.QueryResult<Row>>();
      expectTypeOf(result.rows).toEqualTypeOf<Row[]>();
      expectTypeOf(result.fields).toEqualTypeOf<pg.FieldDef[]>();
      expectTypeOf(result.rowCount).toEqualTypeOf<number | null>();
      expectTypeOf((await db.query(background(), "select 1")).rows).toEqualTypeOf<
        pg.QueryResultRow[]
      >();
      const arrays = await db.query<[number, string]>(background(), {
        text: "select 1",
        rowMode: "array",
      });
      expectTypeOf(arrays.rows).toEqualTypeOf<[number, string][]>();
      expectTypeOf(arrays).toExtend<pg.QueryArrayResult<[number, string]>>();
      const config: pg.QueryConfig<[number]> = { text: "select $1", values: [1] };
      expectTypeOf((await withContext(client).query<Row>(background(), config)).rows).toEqualTypeOf<
        Row[]
      >();
      expectTypeOf((await withContext(leased).query<Row>(background(), config)).rows).toEqualTypeOf<
        Row[]
      >();
    };
    expect(type).toBeTypeOf("function");
  });

  test.each(["select pg_sleep(60)", cpuHeavy])(
    "stops on the server when its context is canceled: %s",
    async (sql) => {
      const pool = testPool({ max: 1 });
      const pid = await pidOf(pool);
      const text = sql + mark();
      using ctx = withCancel(background());
      const query = withContext(pool, { onCancel: "reuse" }).query(ctx, text);
      query.catch(() => undefined);
      await until(async () => (await look.running(text)) === 1);

      const why = new Error("the client left");
      ctx.cancel(why);
      const error: unknown = await query.catch((e: unknown) => e);

      expect(await look.running(text)).toBe(0);
      expect(error).toBe(ctx.err());
      expect(error).toBeInstanceOf(CanceledError);
      expect((error as Error).cause).toBe(why);
      expectWhole(pool);
      expect(await pidOf(pool)).toBe(pid);
    },
  );

  test("stops on the server when its deadline passes", async () => {
    const pool = testPool({ max: 1 });
    const pid = await pidOf(pool);
    const text = `select pg_sleep(60) ${mark()}`;
    using ctx = withTimeout(background(), 50);
    await expect(withContext(pool, { onCancel: "reuse" }).query(ctx, text)).rejects.toBeInstanceOf(
      DeadlineExceededError,
    );
    expect(await look.running(text)).toBe(0);
    expect(await pidOf(pool)).toBe(pid);
  });

  test("takes no connection if its context is done already", async () => {
    const pool = testPool();
    using ctx = withCancel(background());
    ctx.cancel();
    await expect(withContext(pool).query(ctx, "select 1")).rejects.toBe(ctx.err());
    expect(pool.totalCount).toBe(0);
  });

  test("stops even if its SQL catches the first cancel request, and its connection is closed", async () => {
    const pool = testPool({ max: 1 });
    const pid = await pidOf(pool);
    // PostgreSQL before 18 can interrupt twice for one request.
    const text = `do $$ begin
      for i in 1..2 loop
        begin perform pg_sleep(60); exception when query_canceled then null; end;
      end loop;
      perform pg_sleep(60);
    end $$ ${mark()}`;
    using ctx = withCancel(background());
    const query = withContext(pool).query(ctx, text);
    query.catch(() => undefined);
    await until(async () => {
      const { rows } = await look.query(
        "select 1 from pg_stat_activity where pid = $1 and wait_event = 'PgSleep'",
        [pid],
      );
      return rows.length === 1; // inside the block that catches the request
    });
    ctx.cancel();
    await expect(query).rejects.toBe(ctx.err());
    expect(await look.running(text)).toBe(0);
    expect(await pidOf(pool)).not.toBe(pid); // two requests were sent
  });
});

describe("a query that waits for a connection", () => {
  test("rejects as soon as its context ends, and the connection that is granted later goes back", async () => {
    const pool = testPool({ max: 1 });
    const leased = await pool.connect();
    using ctx = withCancel(background());
    const query = withContext(pool).query(ctx, "select 1");
    ctx.cancel();
    await expect(query).rejects.toBe(ctx.err());
    expect(pool.idleCount).toBe(0);

    leased.release();
    await until(() => pool.idleCount === 1);
    expectWhole(pool);
  });

  test("is not sent after its deadline, even if no timer could fire before", async () => {
    const pool = testPool({ max: 1 });
    const client = await testClient();
    const leased = await pool.connect();
    using ctx = withTimeout(background(), 20);
    const queued = client.query("select 1");
    const answers = Promise.allSettled([
      withContext(pool).query(ctx, "select 1"),
      withContext(client).query(ctx, "select 1"),
    ]);
    const start = performance.now();
    while (performance.now() < start + 40);
    leased.release();
    await queued;
    for (const answer of await answers) {
      expect(answer).toMatchObject({ reason: expect.any(DeadlineExceededError) as unknown });
    }
    await until(() => pool.idleCount === 1);
    expectWhole(pool);
  });

  test("is served in the order of arrival, even if other queries leave the queue", async () => {
    const pool = testPool({ max: 1 });
    const db = withContext(pool);
    const leased = await pool.connect();
    const leaving = withCancel(background());
    const order: number[] = [];
    const queries = Array.from({ length: 400 }, async (_, i) => {
      if (i % 2 === 0) await db.query(leaving, "select 1").catch(() => undefined);
      else await db.query(background(), "select 1").then(() => order.push(i));
    });
    await sleep(background(), 1);
    leaving.cancel();
    leased.release();
    await Promise.all(queries);
    expect(order).toEqual(Array.from({ length: 200 }, (_, i) => 2 * i + 1));
    await until(() => pool.idleCount === 1);
    expectWhole(pool);
    expect(pool.totalCount).toBe(1);
  });

  test("leaves nothing behind in the pool, even if 5,000 queries leave the queue together", async () => {
    const pool = testPool({ max: 1 });
    const db = withContext(pool);
    const leased = await pool.connect();
    using ctx = withCancel(background());
    const queries = Array.from({ length: 5_000 }, () =>
      db.query(ctx, "select 1").catch((e: unknown) => e),
    );
    await until(() => pool.waitingCount === 5_000);
    ctx.cancel();
    expect(new Set(await Promise.all(queries))).toEqual(new Set([ctx.err()]));
    leased.release();
    expect((await db.query(background(), "select 1 as n")).rows).toEqual([{ n: 1 }]);
    expectWhole(pool);
  });

  test("rejects with the driver's own error if there is no connection", async () => {
    const pool = testPool({ connectionString: "postgres://postgres@127.0.0.1:1/postgres" });
    await expect(withContext(pool).query(background(), "select 1")).rejects.toMatchObject({
      code: "ECONNREFUSED",
    });
    const ended = new pg.Pool();
    await ended.end();
    await expect(withContext(ended).query(background(), "select 1")).rejects.toThrow(
      "after calling end",
    );
  });

  test("is recorded in the ledger as pg.wait", async () => {
    const pool = testPool({ max: 1 });
    const leased = await pool.connect();
    const root = withLedger(background());
    using ctx = withCancel(root);
    const query = withContext(pool).query(ctx, "select 2");
    query.catch(() => undefined);
    expect(working(ctx)).toMatchObject([{ kind: "pg.wait", what: "select 2" }]);
    ctx.cancel();
    expect(await stopped(ctx)).toMatchObject([
      { kind: "pg.wait", what: "select 2", state: "stopped", reason: "canceled" },
    ]);
    leased.release();
  });
});

describe("a query that fails", () => {
  test("rejects with the driver's error and a stack that leads to the caller, and keeps its connection", async () => {
    const pool = testPool({ max: 1 });
    const pid = await pidOf(pool);
    const caller = async (): Promise<unknown> => {
      return await withContext(pool).query(background(), "select 1/0");
    };
    const error = (await caller().catch((e: unknown) => e)) as pg.DatabaseError;
    expect(error).toBeInstanceOf(pg.DatabaseError);
    expect(error.code).toBe("22012");
    expect(error.stack).toContain("caller");
    expect(await pidOf(pool)).toBe(pid);
  });

  test("costs its connection if it leaves a transaction open", async () => {
    const pool = testPool({ max: 1 });
    const pid = await pidOf(pool);
    await expect(withContext(pool).query(background(), "begin; select 1/0")).rejects.toMatchObject({
      code: "22012",
    });
    expect(await pidOf(pool)).not.toBe(pid);

    const before = await pidOf(pool);
    using ctx = withTimeout(background(), 100);
    await expect(withContext(pool).query(ctx, "begin; select pg_sleep(60)")).rejects.toBeInstanceOf(
      DeadlineExceededError,
    );
    expect(await pidOf(pool)).not.toBe(before);
  });

  test("rejects with the server's own error if the user's statement_timeout ended it", async () => {
    const pool = testPool({ max: 1, statement_timeout: 30 });
    using ctx = withTimeout(background(), 60_000);
    await expect(withContext(pool).query(ctx, "select pg_sleep(60)")).rejects.toMatchObject({
      code: "57014",
      message: expect.stringContaining("statement timeout") as string,
    });
    expectWhole(pool);
  });

  test("rejects if its values cannot be written, and leaves the pool usable", async () => {
    const pool = testPool({ max: 1 });
    const db = withContext(pool);
    const bad = {
      toPostgres: () => {
        throw new Error("no such value");
      },
    };
    await expect(db.query(background(), "select $1::text", [bad])).rejects.toThrow("no such value");
    await expect(db.query(background(), "select $1", "x" as never)).rejects.toThrow(
      "must be an array",
    );
    expect((await db.query(background(), "select 1 as n")).rows).toEqual([{ n: 1 }]);
    expectWhole(pool);
  });

  test("rejects if its connection is lost, and the pool opens another", async () => {
    const pool = testPool({ max: 1 });
    const text = `select pg_sleep(60) ${mark()}`;
    const query = withContext(pool)
      .query(background(), text)
      .catch((e: unknown) => e);
    await until(async () => (await look.running(text)) === 1);
    await look.query("select pg_terminate_backend(pid) from pg_stat_activity where query = $1", [
      text,
    ]);
    expect(await query).toMatchObject({ code: "57P01" });
    expect(pool.totalCount).toBe(0);
    expect((await withContext(pool).query(background(), "select 1 as n")).rows).toEqual([{ n: 1 }]);
  });
});

test('a result that arrives before the cancel request is returned, and the connection is used again with onCancel: "reuse"', async () => {
  const pool = testPool({ max: 1 });
  const pid = await pidOf(pool);
  const db = withContext(pool, { onCancel: "reuse" });
  const results = new Set<string>();
  for (let i = 0; i < 300; i++) {
    using ctx = withCancel(background());
    const query = db.query<{ i: number }>(ctx, "select $1::int as i", [i]);
    setTimeout(() => ctx.cancel(), i % 3);
    await query.then(
      ({ rows }) => {
        expect(rows).toEqual([{ i }]);
        results.add("value");
      },
      (error: unknown) => {
        expect(error).toBe(ctx.err());
        results.add("canceled");
      },
    );
  }
  expect(results).toContain("value");
  expect(await pidOf(pool)).toBe(pid);
  expectWhole(pool);
});

test('with onCancel: "destroy", the connection is closed after a cancel request, and only then', async () => {
  const pool = testPool({ max: 1 });
  const db = withContext(pool, { onCancel: "destroy" });
  const pid = await pidOf(pool);
  await db.query(background(), "select 1");
  await db.query(background(), "select 1/0").catch(() => undefined);
  expect(await pidOf(pool)).toBe(pid);
  using ctx = withTimeout(background(), 30);
  const text = `select pg_sleep(60) ${mark()}`;
  await expect(db.query(ctx, text)).rejects.toBeInstanceOf(DeadlineExceededError);
  expect(await look.running(text)).toBe(0);
  expect(await pidOf(pool)).not.toBe(pid);
});

test("the receipt names the SQL that was stopped, without its values", async () => {
  const pool = testPool({ max: 1 });
  await pool.query("select 1"); // connected
  const ctx = withTimeout(withLedger(background()), 200);
  const query = withContext(pool).query(ctx, "select pg_sleep($1)", [60]);
  query.catch(() => undefined);
  await until(() => working(ctx).some((work) => work.kind === "pg.query"));
  const receipts = await stopped(ctx);
  expect(receipts).toMatchObject([
    { kind: "pg.query", what: "select pg_sleep($1)", state: "stopped", reason: "deadline" },
  ]);
  expect(receipts[0]!.after).toBeLessThan(1_000);
});

describe("a query on the caller's own client", () => {
  test("keeps the connection and its transaction when it is canceled", async () => {
    const client = await testClient();
    const db = withContext(client);
    await client.query("begin");
    await db.query(background(), "create temporary table t (n int) on commit drop");
    await db.query(background(), "insert into t values ($1)", [1]);
    await client.query("savepoint s");
    using ctx = withTimeout(background(), 30);
    await expect(db.query(ctx, "select pg_sleep(60)")).rejects.toBeInstanceOf(
      DeadlineExceededError,
    );
    await expect(db.query(background(), "select 1")).rejects.toMatchObject({ code: "25P02" });
    await client.query("rollback to savepoint s");
    expect((await db.query(background(), "select n from t")).rows).toEqual([{ n: 1 }]);
    await client.query("commit");
    expect(client.listenerCount("error")).toBe(1);
  });

  test("stops with its context on a client that the caller has leased from a pool", async () => {
    const pool = testPool({ max: 1 });
    const client = await pool.connect();
    using ctx = withTimeout(background(), 30);
    await expect(withContext(client).query(ctx, "select pg_sleep(60)")).rejects.toBeInstanceOf(
      DeadlineExceededError,
    );
    expect(pool.idleCount).toBe(0);
    client.release();
    expectWhole(pool);
  });

  test("is not sent if it was canceled in the client's queue, and the running query is not hit", async () => {
    const client = await testClient();
    const text = `select pg_sleep(0.3) ${mark()}`;
    const innocent = client.query(text);
    await until(async () => (await look.running(text)) === 1);
    using ctx = withCancel(withLedger(background()));
    const query = withContext(client).query(ctx, "create temporary table never_made ()");
    query.catch(() => undefined);
    expect(working(ctx)).toMatchObject([{ kind: "pg.wait" }]);
    ctx.cancel();
    await expect(query).rejects.toBe(ctx.err());
    expect(await look.running(text)).toBe(1);
    await innocent;
    expect((await client.query("select to_regclass('never_made') as t")).rows).toEqual([
      { t: null },
    ]);
  });

  test("runs in the order of the calls, among the caller's own queries", async () => {
    const client = await testClient();
    const db = withContext(client);
    const order: string[] = [];
    await Promise.all([
      client.query("select pg_sleep(0.02)").then(() => order.push("a")),
      db.query(background(), "select 1").then(() => order.push("b")),
      client.query("select 1").then(() => order.push("c")),
      db.query(background(), "select 1/0").catch(() => order.push("d")),
      db.query(background(), "select 1").then(() => order.push("e")),
    ]);
    expect(order).toEqual(["a", "b", "c", "d", "e"]);
  });

  test("holds the caller's next query back until its cancel request has ended", async () => {
    const client = await testClient();
    const db = withContext(client, { onCancel: "reuse" });
    for (let i = 0; i < 100; i++) {
      using ctx = withCancel(background());
      const query = db.query(ctx, "select pg_sleep(0.001)").catch((e: unknown) => e);
      const next = client.query<{ i: number }>("select $1::int as i, pg_sleep(0.002)", [i]);
      setTimeout(() => ctx.cancel(), i % 4);
      await query;
      expect((await next).rows[0]!.i).toBe(i);
    }
  });

  test.each([
    ["a client", "after"],
    ["a client", "before"],
    ["connection()", "after"],
    ["connection()", "before"],
  ])(
    "closes the connection of %s if its cancel request is closed %s its end, and sends none of the next queries",
    async (where, when) => {
      const { hostname, port } = new URL(postgresUrl());
      let isOver = false;
      let pass!: () => void;
      const held = new Promise<void>((resolve) => (pass = resolve));
      const proxy = await startProxy(
        { host: hostname, port: Number(port) },
        {
          onChunk(link) {
            if (link.index === 0 || isOver) return undefined;
            if (when === "before") link.halfClose("client"); // as a pooler does
            return held;
          },
        },
      );
      const name = `unsent_${process.pid}_${Math.floor(performance.now() * 1_000)}`;
      await look.query(`create table ${name} (n int)`);
      onTestFinished(async () => void (await look.query(`drop table ${name}`)));
      const connectionString = postgresUrl(proxy);
      const text = `select pg_sleep(0.3) ${mark()}`;
      using ctx = withCancel(background());
      const use = async (on: Pick<ContextQueries<pg.Client>, "query">): Promise<void> => {
        const first = on.query(ctx, text);
        const next = on.query(background(), `insert into ${name} values (1)`);
        next.catch(() => undefined);
        await until(async () => (await look.running(text)) === 1);
        ctx.cancel();
        await until(async () => (await look.running(text)) === 0);
        pass();
        expect((await first).rows).toHaveLength(1); // the result came first
        await expect(next).rejects.toThrow();
        isOver = true;
      };
      if (where === "a client") {
        const client = new pg.Client({ connectionString });
        client.on("error", () => undefined);
        await client.connect();
        await use(withContext(client));
      } else {
        const pool = testPool({ connectionString, max: 1 });
        await withContext(pool)
          .connection(background(), use)
          .catch(() => undefined);
        expect((await pool.query("select 1 as n")).rows).toEqual([{ n: 1 }]);
      }
      expect((await look.query(`select n from ${name}`)).rows).toEqual([]);
    },
  );

  test("rejects with the driver's error when the connection is lost", async () => {
    const client = await testClient();
    const text = `select pg_sleep(60) ${mark()}`;
    const query = withContext(client)
      .query(background(), text)
      .catch((e: unknown) => e);
    await until(async () => (await look.running(text)) === 1);
    await look.query("select pg_terminate_backend(pid) from pg_stat_activity where query = $1", [
      text,
    ]);
    expect(await query).toMatchObject({ code: "57P01" });
    await expect(withContext(client).query(background(), "select 1")).rejects.toThrow();
  });
});

describe("an error says what to write instead of", () => {
  const db = withContext(new pg.Pool()) as unknown as {
    query(...args: unknown[]): Promise<unknown>;
  };

  test.each([
    [
      ["select 1"],
      /query needs a Context as its first argument, got the string "select 1"; write query\(ctx, sql, values\)/,
    ],
    [[undefined, "select 1"], /got undefined/],
    [[background()], /takes SQL or a config object, got undefined/],
    [[background(), new pg.Query("select 1")], /not a Query or a cursor/],
    [[background(), "select 1", () => undefined], /leave the callback out/],
  ])("query(%s)", async (args, message) => {
    await expect(db.query(...args)).rejects.toThrow(TypeError);
    await expect(db.query(...args)).rejects.toThrow(message);
  });

  test("withContext of another driver, of a client in pipeline mode, or with wrong options", () => {
    const make = withContext as (driver: unknown, options?: unknown) => unknown;
    expect(() => make(undefined)).toThrow(/takes a Pool or a Client of pg/);
    expect(() => make({ query: () => undefined })).toThrow(/takes a Pool or a Client of pg/);
    expect(() => make(Object.assign(new pg.Client(), { pipeline: true }))).toThrow(/pipeline/);
    expect(() => make(new pg.Pool(), { onCancel: "reset" })).toThrow(/"reuse" or "destroy"/);
    for (const stopTimeout of [Number.NaN, Infinity, "2s"]) {
      expect(() => make(new pg.Pool(), { stopTimeout })).toThrow(/finite number of milliseconds/);
    }
  });
});

test("queries leave no listeners on their connection, however they end", async () => {
  const pool = testPool({ max: 1 });
  const leased = await pool.connect();
  const count = (): number[] => [
    ...["error", "end"].map((event) => leased.listenerCount(event)),
    ...["readyForQuery", "end"].map((event) => leased.connection.listenerCount(event)),
  ];
  leased.release();
  const db = withContext(pool, { onCancel: "reuse" });
  await db.query(background(), "select 1");
  const before = count();
  for (let i = 0; i < 20; i++) {
    await db.query(background(), "select 1");
    await db.query(background(), "select 1/0").catch(() => undefined);
    using ctx = withTimeout(background(), 20);
    await db.query(ctx, "select pg_sleep(60)").catch(() => undefined);
  }
  expect(count()).toEqual(before);
});

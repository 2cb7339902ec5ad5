import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import mariadb from "mariadb";
import mysql2 from "mysql2";
import mysql2Promise from "mysql2/promise";
import pg from "pg";
import postgres from "postgres";
import { beforeEach, describe, expect, expectTypeOf, onTestFinished, test } from "vitest";
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
import { mark, observer, until, type Observer } from "../../test/support/postgres.ts";
import { pidOf, testSql, wholePool } from "../../test/support/postgresjs.ts";
import { withContext } from "./index.ts";

const cpuHeavy = "select count(*) from generate_series(1, 100000) a, generate_series(1, 100000) b";

let look: Observer;
beforeEach(async () => {
  look = await observer();
});

describe("`query`", () => {
  test("takes every kind of query of postgres.js and resolves with the driver's result", async () => {
    const sql = testSql();
    const db = withContext(sql);
    const ctx = background();
    const plain = await sql`select ${1}::int as n, ${"x"} as x`;
    const ours = await db.query(ctx, sql`select ${1}::int as n, ${"x"} as x`);
    expect(ours).toEqual(plain);
    expect(ours).toMatchObject({ count: 1, command: "SELECT", columns: [{ name: "n" }, {}] });

    expect(await db.query(ctx, sql`select 1, 2`.values())).toEqual([[1, 2]]);
    expect(await db.query(ctx, sql`select 'a' as a`.raw())).toEqual([[Buffer.from("a")]]);
    expect(await db.query(ctx, sql`select 1 as a; select 2 as b`.simple())).toEqual([
      [{ a: 1 }],
      [{ b: 2 }],
    ]);
    const described = await db.query(ctx, sql`select ${1}::int as n`.describe());
    expect(described).toMatchObject({ columns: [{ name: "n", type: 23 }] });
    expect(await db.query(ctx, sql.unsafe("select $1::int as n", [7]))).toEqual([{ n: 7 }]);
    expect(await db.query(ctx, sql.unsafe("select 8 as n"))).toEqual([{ n: 8 }]);
    const text = "select $1::int as n";
    expect(await db.query(ctx, sql.unsafe(text, [9], { prepare: true }))).toEqual([{ n: 9 }]);
    await wholePool(sql);
  });

  test("sends queries that are composed with fragments and helpers", async () => {
    const sql = testSql({ max: 1, transform: postgres.camel });
    const db = withContext(sql);
    const ctx = background();
    const where = (n: number) => sql`where n = ${n}`;
    await db.connection(ctx, async (own) => {
      await own.query(ctx, sql`create temp table t (n int, full_name text, tags text[], j jsonb)`);
      const rows = [
        { n: 1, fullName: "one", tags: ["a", "b"], j: sql.json({ a: 1 }) },
        { n: 2, fullName: "two", tags: [], j: null },
      ];
      await own.query(ctx, sql`insert into t ${sql(rows)}`);
      const columns = ["n", "fullName"];
      expect(
        await own.query(ctx, sql`select ${sql(columns)} from ${sql("t")} ${where(2)}`),
      ).toEqual([{ n: 2, fullName: "two" }]);
      const all = [sql`or n = ${1}`, sql`or n = ${2}`];
      const some = await own.query(ctx, sql<{ n: number }[]>`select n from t where false ${all}`);
      expect(some.map(({ n }) => n)).toEqual([1, 2]);
      await own.query(ctx, sql`update t set ${sql({ fullName: "uno" }, "fullName")} ${where(1)}`);
      expect(
        await own.query(ctx, sql`select full_name, tags, j from t where n in ${sql([1])}`),
      ).toEqual([{ fullName: "uno", tags: ["a", "b"], j: { a: 1 } }]);
    });
    await wholePool(sql);
  });

  test("sends a query once for each call, so that it can be sent again", async () => {
    const sql = testSql();
    const db = withContext(sql);
    const query = sql`select ${3}::int as n`;
    expect(await db.query(background(), query)).toEqual([{ n: 3 }]);
    expect(await db.query(background(), query)).toEqual([{ n: 3 }]);
    const m = mark();
    const slow = sql`select 4 as n, pg_sleep(0.1) ${sql.unsafe(m)}`;
    const answer = db.query(background(), slow);
    await until(async () => (await look.running(m)) === 1);
    slow.cancel(); // the driver's cancel request could hit other queries
    expect(await answer).toMatchObject([{ n: 4 }]);
    await wholePool(sql);
  });

  test("types its result like the driver", () => {
    interface User {
      id: string;
    }
    const types = async (
      sql: postgres.Sql,
      typed: postgres.Sql<{ big: bigint }>,
      tx: postgres.TransactionSql,
    ): Promise<void> => {
      const ctx = background();
      const db = withContext(sql);
      withContext(typed);
      // @ts-expect-error the sql of a transaction has no pool
      withContext(tx);
      const users = await db.query(ctx, sql<User[]>`select 1`);
      expectTypeOf(users).toEqualTypeOf<postgres.RowList<User[]>>();
      expectTypeOf(await db.query(ctx, sql`select 1`)).toEqualTypeOf<
        postgres.RowList<postgres.Row[]>
      >();
      expectTypeOf(await db.query(ctx, sql<User[]>`select 1`.values())).toEqualTypeOf<
        postgres.ValuesRowList<User[]>
      >();
      expectTypeOf(await db.query(ctx, sql<User[]>`select 1`.raw())).toEqualTypeOf<
        postgres.RawRowList<User[]>
      >();
      expectTypeOf(
        await db.query(ctx, sql`select 1`.describe()),
      ).toEqualTypeOf<postgres.Statement>();
      expectTypeOf(await db.query(ctx, sql.unsafe<User[]>("select 1"))).toEqualTypeOf<
        postgres.RowList<User[]>
      >();
      for await (const user of db.stream(ctx, sql<User[]>`select 1`)) {
        expectTypeOf(user).toEqualTypeOf<User>();
      }
      const inside = await db.transaction(ctx, (tx) => tx.query(ctx, sql<User[]>`select 1`));
      expectTypeOf(inside[0]).toEqualTypeOf<User | undefined>();
      // @ts-expect-error not a query
      await db.query(ctx, Promise.resolve(1));
    };
    expect(types).toBeTypeOf("function");
  });

  test.each(["select pg_sleep(60)", cpuHeavy])(
    "stops a canceled query on the server and keeps the connection: %s",
    async (what) => {
      const sql = testSql({ max: 1 });
      const pid = await pidOf(sql);
      const text = what + mark();
      using ctx = withCancel(background());
      const query = withContext(sql, { onCancel: "reuse" }).query(ctx, sql.unsafe(text));
      query.catch(() => undefined);
      await until(async () => (await look.running(text)) === 1);

      const why = new Error("the client left");
      ctx.cancel(why);
      const error: unknown = await query.catch((e: unknown) => e);

      await until(async () => (await look.running(text)) === 0);
      expect(error).toBe(ctx.err());
      expect(error).toBeInstanceOf(CanceledError);
      expect((error as Error).cause).toBe(why);
      expect(await wholePool(sql)).toEqual([pid]);
    },
  );

  test("stops a query on the server when its deadline passes", async () => {
    const sql = testSql({ max: 1 });
    const pid = await pidOf(sql);
    const m = mark();
    using ctx = withTimeout(background(), 50);
    const query = withContext(sql, { onCancel: "reuse" }).query(
      ctx,
      sql`select pg_sleep(${60}) ${sql.unsafe(m)}`,
    );
    await expect(query).rejects.toBeInstanceOf(DeadlineExceededError);
    await until(async () => (await look.running(m)) === 0);
    expect(await wholePool(sql)).toEqual([pid]);
  });

  test("sends nothing if its context is done already", async () => {
    const sent: string[] = [];
    const sql = testSql({ debug: (_, text) => sent.push(text) });
    using ctx = withCancel(background());
    ctx.cancel();
    await expect(withContext(sql).query(ctx, sql`select 1`)).rejects.toBe(ctx.err());
    await sleep(background(), 20);
    expect(sent).toEqual([]);
  });

  test("repeats the cancel request if the SQL catches the first cancellations", async () => {
    const sql = testSql({ max: 1 });
    // PostgreSQL before 18 can interrupt twice for one request.
    const text = `do $$ begin
      for i in 1..2 loop
        begin perform pg_sleep(60); exception when query_canceled then null; end;
      end loop;
      perform pg_sleep(60);
    end $$ ${mark()}`;
    using ctx = withTimeout(background(), 30);
    const query = withContext(sql).query(ctx, sql.unsafe(text));
    await expect(query).rejects.toBeInstanceOf(DeadlineExceededError);
    await until(async () => (await look.running(text)) === 0);
    await wholePool(sql);
  });

  test("leaves no holes in the next result after a query that failed among its rows", async () => {
    const sql = testSql({ max: 1 });
    const db = withContext(sql, { onCancel: "reuse" });
    const failing = sql`select 1 / (4 - i) from generate_series(1, 10) i`;
    await expect(db.query(background(), failing)).rejects.toMatchObject({ code: "22012" });
    expect(await sql`select 1 as n`).toEqual([{ n: 1 }]);

    await db.connection(background(), async (own) => {
      await expect(own.query(background(), failing)).rejects.toMatchObject({ code: "22012" });
      expect(await own.query(background(), sql`select 1 as n`)).toEqual([{ n: 1 }]);
      using ctx = withCancel(background());
      const m = mark();
      const slow = sql`select i, case when i = 9000 then pg_sleep(60) end from generate_series(1, 9000) i ${sql.unsafe(m)}`;
      const query = own.query(ctx, slow).catch((e: unknown) => e);
      await until(async () => (await look.running(m)) === 1);
      ctx.cancel();
      expect(await query).toBe(ctx.err());
      expect(await own.query(background(), sql`select 1 as n`)).toEqual([{ n: 1 }]);
    });
    await wholePool(sql);
  });

  test("works without fetch_types, where the driver's reserve() does not", async () => {
    const sql = testSql({ max: 2, fetch_types: false });
    const db = withContext(sql);
    const both = await Promise.all(
      [1, 2].map((n) => db.query(background(), sql`select ${n}::int as n`)),
    );
    expect(both).toEqual([[{ n: 1 }], [{ n: 2 }]]);
    await wholePool(sql);
  });

  test("delays the end() of its pool until it has settled", async () => {
    const sql = testSql({ max: 2 });
    const query = withContext(sql).query(background(), sql`select 1 as n, pg_sleep(0.1)`);
    const transaction = withContext(sql).transaction(background(), (tx) =>
      tx.query(background(), sql`select 2 as n, pg_sleep(0.1)`),
    );
    await sleep(background(), 50);
    await Promise.all([query, transaction, sql.end()]);
    await expect(withContext(sql).query(background(), sql`select 1`)).rejects.toMatchObject({
      code: "CONNECTION_ENDED",
    });
  });
});

describe("a query that waits for a connection", () => {
  /** Takes the only connection of the pool until the returned function is called. */
  async function hold(sql: postgres.Sql): Promise<() => Promise<unknown>> {
    let release: () => void = () => undefined;
    const until = new Promise<void>((resolve) => (release = resolve));
    let done: Promise<unknown> = Promise.resolve();
    await new Promise<void>((begun) => {
      done = sql.begin(async () => {
        begun();
        await until;
      });
    });
    return () => {
      release();
      return done;
    };
  }

  test("rejects at once when its context ends, and is never sent", async () => {
    const sent: string[] = [];
    const sql = testSql({ max: 1, debug: (_, text) => sent.push(text) });
    const release = await hold(sql);
    const root = withLedger(background());
    using ctx = withCancel(root);
    const query = withContext(sql).query(ctx, sql`select 'never'`);
    query.catch(() => undefined);
    expect(working(ctx)).toMatchObject([{ kind: "postgres.wait" }]);
    ctx.cancel();
    await expect(query).rejects.toBe(ctx.err());
    expect(await stopped(ctx)).toMatchObject([{ kind: "postgres.wait", state: "stopped" }]);
    await release();
    await wholePool(sql);
    expect(sent).not.toContain("select 'never'");
  });

  test("keeps its place in the queue when 200 of 400 waiting queries are canceled", async () => {
    const sql = testSql({ max: 1 });
    const db = withContext(sql);
    const pid = await pidOf(sql);
    const release = await hold(sql);
    const order: number[] = [];
    using leaving = withCancel(background());
    const queries = Array.from({ length: 400 }, async (_, i) => {
      const query = sql`select ${i}::int as i`;
      if (i % 2 === 0)
        await db.query(leaving, query).catch((e: unknown) => expect(e).toBe(leaving.err()));
      else await db.query(background(), query).then((rows) => order.push(rows[0]?.["i"] as number));
    });
    leaving.cancel();
    await release();
    await Promise.all(queries);
    expect(order).toEqual(Array.from({ length: 200 }, (_, i) => 2 * i + 1));
    expect(await wholePool(sql)).toEqual([pid]);
  });

  test("does not stop the queries of other callers ahead of it when it is canceled", async () => {
    const sql = testSql({ max: 1 });
    await sql`select 1`;
    const m = mark();
    const others = Array.from({ length: 5 }, (_, i) =>
      sql`select ${i}::int as i, pg_sleep(0.05) ${sql.unsafe(m)}`.execute(),
    );
    await until(async () => (await look.running(m)) === 1);
    using ctx = withCancel(background());
    const waiting = withContext(sql)
      .query(ctx, sql`select pg_sleep(60)`)
      .catch((e: unknown) => e);
    await sleep(background(), 20);
    ctx.cancel();
    expect(await waiting).toBe(ctx.err());
    expect((await Promise.all(others)).map(([row]) => row?.["i"] as number)).toEqual([
      0, 1, 2, 3, 4,
    ]);
    await wholePool(sql);
  });

  test("rejects with the driver's error if the driver cannot connect", async () => {
    const sql = testSql({}, "postgres://postgres@127.0.0.1:1/postgres");
    const query = withContext(sql).query(background(), sql`select 1`);
    await expect(query).rejects.toMatchObject({ code: "ECONNREFUSED" });
  });
});

describe("a failure", () => {
  test("of the SQL rejects with the driver's error and keeps the connection", async () => {
    const sql = testSql({ max: 1 });
    const pid = await pidOf(sql);
    const error: unknown = await withContext(sql)
      .query(background(), sql`select 1/0`)
      .catch((e: unknown) => e);
    expect(error).toBeInstanceOf(postgres.PostgresError);
    expect(error).toMatchObject({ code: "22012", query: "select 1/0" });
    expect(await wholePool(sql)).toEqual([pid]);
  });

  test("inside an open transaction rolls the transaction back, and so does a BEGIN without a COMMIT", async () => {
    const sql = testSql({ max: 1 });
    const pid = await pidOf(sql);
    const db = withContext(sql);
    await expect(db.query(background(), sql.unsafe("begin; select 1/0"))).rejects.toMatchObject({
      code: "22012",
    });
    using ctx = withTimeout(background(), 30);
    const slow = sql.unsafe("start transaction; select pg_sleep(60)");
    await expect(db.query(ctx, slow)).rejects.toBeInstanceOf(DeadlineExceededError);
    await db.query(background(), sql`begin`);
    await db.query(background(), sql.unsafe("begin; commit"));
    expect(await wholePool(sql)).toEqual([pid]);
  });

  test("by the user's statement_timeout or by a foreign cancel request rejects with the driver's error", async () => {
    const sql = testSql({ max: 1, connection: { statement_timeout: 100 } });
    using ctx = withTimeout(background(), 60_000);
    const db = withContext(sql);
    await expect(db.query(ctx, sql`select pg_sleep(60)`)).rejects.toMatchObject({
      code: "57014",
      message: expect.stringContaining("statement timeout") as string,
    });
    const m = mark();
    const other = testSql({ max: 1 });
    const query = withContext(other).query(ctx, other`select pg_sleep(60) ${other.unsafe(m)}`);
    query.catch(() => undefined);
    await until(async () => (await look.running(m)) === 1);
    await look.query(
      "select pg_cancel_backend(pid) from pg_stat_activity where pid <> pg_backend_pid() and position($1 in query) > 0",
      [m],
    );
    await expect(query).rejects.toMatchObject({ code: "57014" });
    await wholePool(sql);
  });

  test("before the query is sent reaches the caller and leaves the pool usable", async () => {
    const sql = testSql({ max: 1 });
    const db = withContext(sql);
    const bad = sql`select ${undefined as unknown as number}`;
    for (let i = 0; i < 3; i++) {
      await expect(db.query(background(), bad)).rejects.toMatchObject({ code: "UNDEFINED_VALUE" });
      const date = sql`select ${"no date"}::timestamptz as at`;
      await expect(db.query(background(), date)).rejects.toThrow("Invalid time value");
      expect(await db.query(background(), sql`select ${i}::int as i`)).toEqual([{ i }]);
    }
    await wholePool(sql);
  });

  test("of the connection rejects the query, and the pool opens another connection", async () => {
    const sql = testSql({ max: 1 });
    const db = withContext(sql);
    const kill = (pid: unknown) => look.query("select pg_terminate_backend($1)", [pid]);
    const m = mark();
    const pid = await pidOf(sql);
    const query = db.query(background(), sql`select pg_sleep(60) ${sql.unsafe(m)}`);
    const answer = query.catch((e: unknown) => e);
    await until(async () => (await look.running(m)) === 1);
    await kill(pid);
    // The driver rejects with the server's last error or with its own.
    expect(await answer).toMatchObject({
      code: expect.stringMatching(/^(CONNECTION_CLOSED|57P01)$/) as string,
    });
    expect(await db.query(background(), sql`select 1 as n`)).toEqual([{ n: 1 }]);
    await wholePool(sql);
  });

  test("of the idle connection of a function does not reach the next connection in its place", async () => {
    const sql = testSql({ max: 1 });
    const db = withContext(sql);
    const ctx = background();
    let next: Promise<unknown> | undefined;
    await db.connection(ctx, async (own) => {
      const [row] = await own.query(ctx, sql<{ pid: number }[]>`select pg_backend_pid() as pid`);
      await look.query("select pg_terminate_backend($1)", [row?.pid]);
      next = db.transaction(ctx, async (tx) => {
        await expect(own.query(ctx, sql`select 1`)).rejects.toMatchObject({
          code: "CONNECTION_CLOSED",
        });
        return await tx.query(ctx, sql`select now() < statement_timestamp() as open`);
      });
      next.catch(() => undefined);
      await next;
    });
    expect(await next).toEqual([{ open: true }]);
    await wholePool(sql);
  });
});

describe("a wrong argument", () => {
  test("of `withContext` throws a TypeError that says what to pass", async () => {
    const sql = testSql({ max: 1 });
    const takes = /takes the sql that postgres\(\) returned/;
    expect(() => withContext(undefined as never)).toThrow(takes);
    expect(() => withContext({} as never)).toThrow(takes);
    await sql.begin((tx) => {
      expect(() => withContext(tx as never)).toThrow(/got the sql of a transaction/);
    });
    expect(() => withContext(sql, { onCancel: "keep" as never })).toThrow(/onCancel is/);
  });

  test.each([0, -1, Number.NaN])(
    "of `withContext`, a sql with max_pipeline %d, throws a TypeError",
    (max_pipeline) => {
      expect(() => withContext(testSql({ max_pipeline } as never))).toThrow(
        new TypeError(
          `withContext cannot take a sql whose max_pipeline is number ${max_pipeline}: with it, sql.begin of postgres.js does not work either; call postgres() with max_pipeline 1 or more, or leave it out`,
        ),
      );
    },
  );

  test("is not a sql with max_pipeline 1, on which queries and transactions run", async () => {
    const sql = testSql({ max: 1, max_pipeline: 1 } as never);
    const db = withContext(sql);
    const ctx = background();
    const answers = await Promise.all([
      db.query(ctx, sql`select 1 as n`),
      db.transaction(ctx, (tx) => tx.query(ctx, sql`select 2 as n`)),
      db.query(ctx, sql`select 3 as n`),
    ]);
    expect(answers.map(([row]) => row)).toEqual([{ n: 1 }, { n: 2 }, { n: 3 }]);
  });

  test.each<[string, { end(): unknown }, string]>([
    ["a Pool of pg", new pg.Pool(), "pg"],
    ["a Client of pg", new pg.Client(), "pg"],
    ["a pool of mysql2", mysql2.createPool({}), "mysql2"],
    ["a pool of mysql2/promise", mysql2Promise.createPool({}), "mysql2"],
    ["a pool of mariadb", mariadb.createPool({ minimumIdle: 0 }), "mariadb"],
  ])("of `withContext` that is %s names the entry point that takes it", (_, driver, entry) => {
    onTestFinished(() => void driver.end());
    expect(() => withContext(driver as never)).toThrow(
      `of ${entry}; import withContext from "eightysix/${entry}", which takes it`,
    );
  });

  test("of `query` or `stream` rejects with a TypeError that says what to write", async () => {
    const sql = testSql({ max: 2 });
    const db = withContext(sql);
    const ctx = background();
    const query = (query: unknown) => db.query(ctx, query as PromiseLike<postgres.Statement>);
    await expect(db.query("select 1" as never, sql`select 1`)).rejects.toThrow(/needs a Context/);
    await expect(query("select 1")).rejects.toThrow(
      /got the string "select 1"; write query\(ctx, sql`/,
    );
    await expect(query(undefined)).rejects.toThrow(TypeError);
    await expect(query(sql`select 1`.cursor(2))).rejects.toThrow(/or stream\(ctx, sql`/);
    await expect(query(sql`select 1`.cursor(2, () => undefined))).rejects.toThrow(
      /without .cursor/,
    );
    const sent = sql`select 1`;
    await sent;
    await expect(query(sent)).rejects.toThrow(/not sent yet, got one that was; leave out await/);
    const directory = mkdtempSync(join(tmpdir(), "eightysix-"));
    onTestFinished(() => rmSync(directory, { recursive: true }));
    writeFileSync(join(directory, "x.sql"), "select 1");
    await expect(query(sql.file(join(directory, "x.sql")))).rejects.toThrow(
      /does not take sql.file/,
    );
    await expect(query(testSql()`select 1`)).rejects.toThrow(/got one of another sql/);
    await sql.begin((tx) => expect(query(tx`select 1`)).rejects.toThrow(/of sql.begin/));
    const rows = { rows: 0 };
    await expect(db.stream(ctx, sql`select 1`, rows).next()).rejects.toThrow(
      /got number 0 for the option rows; .* from 1/,
    );
    await expect(db.stream(ctx, 7 as never).next()).rejects.toThrow(/^stream\(ctx, …\) takes/);
    await wholePool(sql);
  });
});

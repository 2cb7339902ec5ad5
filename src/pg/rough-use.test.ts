/** Options, hooks and mistakes that no example shows, and the connections after them. */
import { Readable } from "node:stream";
import pg from "pg";
import { describe, expect, test } from "vitest";
import {
  background,
  isDeadlineExceeded,
  sleep,
  stopped,
  withLedger,
  withTimeout,
} from "../index.ts";
import { testClient, testPool, until } from "../../test/support/postgres.ts";
import { withContext, type ContextQueries } from "./index.ts";

async function all<T>(rows: AsyncIterable<T>): Promise<T[]> {
  const got: T[] = [];
  for await (const row of rows) got.push(row);
  return got;
}

const failure = (work: Promise<unknown>): Promise<unknown> =>
  work.then(
    () => "no failure",
    (error: unknown) => error,
  );

/** Expects that the pool's connection is in step with its server, idle and outside a transaction. */
async function expectWhole(pool: pg.Pool): Promise<void> {
  const start = performance.now();
  for (let i = 0; i < 3; i++) {
    const { rows } = await pool.query<{ n: number }>("select $1::int as n, pg_sleep(0.05)", [i]);
    expect(rows).toMatchObject([{ n: i }]);
    const idle = await pool.query("select now() = statement_timestamp() as idle");
    expect(idle.rows).toEqual([{ idle: true }]);
  }
  expect(performance.now() - start).toBeLessThan(3_000);
  await until(() => pool.idleCount === pool.totalCount);
}

function busy(ms: number): void {
  const end = performance.now() + ms;
  while (performance.now() < end);
}

describe("a stream of a pool with a query_timeout", () => {
  test("throws the server's error after the rows that came before it", async () => {
    const pool = testPool({ max: 1, query_timeout: 30_000 });
    const text = "select 1 / (250 - n) as x from generate_series(1, 1000) n";
    let rows = 0;
    const reading = async (): Promise<void> => {
      for await (const _ of withContext(pool).stream(background(), text)) rows++;
    };
    expect(await failure(reading())).toMatchObject({ code: "22012" });
    expect(rows).toBe(249);
    await expectWhole(pool);
    expect(pool.totalCount).toBe(1);
  });

  test("stops on the server when its context ends", async () => {
    const pool = testPool({ max: 1, query_timeout: 30_000 });
    const ctx = withLedger(withTimeout(background(), 100));
    const reading = all(withContext(pool).stream(ctx, "select pg_sleep(20)"));
    expect(await failure(reading)).toBe(ctx.err());
    expect((await stopped(ctx)).map(({ state }) => state)).not.toContain("abandoned");
    await expectWhole(pool);
  });

  test("fails when the query_timeout has passed, and does not wait for the server", async () => {
    const pool = testPool({ max: 1 });
    const config = { text: "select pg_sleep(20)", query_timeout: 100 };
    const reading = all(withContext(pool).stream(background(), config));
    expect(await failure(reading)).toMatchObject({ message: "Query read timeout" });
    await expectWhole(pool);
  });
});

describe("a stream", () => {
  const bad = {
    toPostgres: () => {
      throw new Error("no such value");
    },
  };
  test.each([
    ["values that cannot be written", "no such value", ["select $1::text", [bad]]],
    ["values that are not an array", "must be an array", ["select $1::text", "x"]],
  ])(
    "with %s fails, and leaves the connection in step with the server",
    async (_, message, args) => {
      const pool = testPool({ max: 1 });
      const client = await testClient();
      for (const db of [withContext(pool), withContext(client)]) {
        const reading = all(db.stream(background(), ...(args as [string])));
        expect(await failure(reading)).toMatchObject({
          message: expect.stringContaining(message) as string,
        });
      }
      await expectWhole(pool);
      for (let n = 0; n < 3; n++) {
        expect((await client.query("select $1::int as n", [n])).rows).toEqual([{ n }]);
      }
    },
  );

  test("ends soon after a row that its type parser refuses", async () => {
    const pool = testPool({ max: 1 });
    const parse = (text: string): string => {
      if (text === "50") throw new Error("not fifty");
      return text;
    };
    const config = {
      text: "select generate_series(1, 1000000000) as n",
      types: { getTypeParser: () => parse },
    };
    const reading = all(withContext(pool).stream(background(), config));
    expect(await failure(reading)).toMatchObject({ message: "not fifty" });
    await expectWhole(pool);
  });

  test("throws an error that the server reports only at the end of the query", async () => {
    const pool = testPool({ max: 1 });
    await pool.query("create temp table once (n int unique deferrable initially deferred)");
    const text = "insert into once select 1 from generate_series(1, 2) returning n";
    const reading = all(withContext(pool).stream(background(), text));
    expect(await failure(reading)).toMatchObject({ code: "23505" });
    await expectWhole(pool);
  });

  test.each(["", "-- nothing", "create temp table none (n int)", "select 1 where false", "begin"])(
    "of the statement %j has no rows",
    async (text) => {
      const pool = testPool({ max: 1 });
      expect(await all(withContext(pool).stream(background(), text))).toEqual([]);
      await expectWhole(pool);
    },
  );

  test.each([0, -1, Number.NaN, 1.5, 2 ** 31, "7"])(
    "refuses to fetch %s rows at a time",
    async (rows) => {
      const pool = testPool({ max: 1 });
      const config = { text: "select 1", rows: rows as number };
      const reading = all(withContext(pool).stream(background(), config));
      await expect(reading).rejects.toThrow(/`rows` at a time, a positive integer, got/);
      await expectWhole(pool);
    },
  );
});

describe("a query with a server timeout", () => {
  const limited = { serverTimeout: true };
  test.each([
    ["42601", "execute 'selec'"],
    ["25001", "execute 'vacuum'"],
  ])("that fails with %s after it has committed runs once", async (code, failing) => {
    const pool = testPool({ max: 1 });
    using ctx = withTimeout(background(), 60_000);
    await pool.query("create temp table once (n int)");
    const text = `do $$ begin insert into once values (1); commit; ${failing}; end $$`;
    await expect(withContext(pool, limited).query(ctx, text)).rejects.toMatchObject({ code });
    expect((await pool.query("select n from once")).rows).toHaveLength(1);
    await expectWhole(pool);
  });

  test("fails if it is a COPY from stdin, like a query without a deadline", async () => {
    const pool = testPool({ max: 1 });
    const db = withContext(pool, limited);
    using ctx = withTimeout(background(), 30_000);
    await pool.query("create temp table data (n int)");
    const text = "copy data from stdin";
    await expect(db.query(background(), text)).rejects.toThrow("No source stream");
    await expect(db.query(ctx, text)).rejects.toThrow("No source stream");
    await expect(all(db.stream(ctx, text))).rejects.toThrow("No source stream");
    expect(ctx.err()).toBeUndefined();
    await expectWhole(pool);
    expect(pool.totalCount).toBe(1);
  });

  test("has exceeded its deadline even if the server ends it before the deadline's timer fires", async () => {
    const pool = testPool({ max: 1 });
    const client = await pool.connect();
    client.release();
    const db = withContext(pool, { ...limited, stopTimeout: -500 }); // on the server: 500 ms
    using ctx = withTimeout(background(), 1_000);
    const query = failure(db.query(ctx, "select pg_sleep(60)"));
    // Reading the server's answer lasts until after the deadline.
    client.connection.stream.prependOnceListener("data", () => busy(1_000));
    expect(isDeadlineExceeded(await query)).toBe(true);
  });
});

describe("a connection that a query_timeout leaves busy", () => {
  test.each(["select pg_sleep(20)", "begin; select pg_sleep(1)"])(
    "with %s is not used again",
    async (text) => {
      const pool = testPool({ max: 1 });
      await withContext(pool).connection(background(), async (own) => {
        const query = own.query(background(), { text, query_timeout: 100 });
        expect(await failure(query)).toMatchObject({ message: "Query read timeout" });
      });
      await expectWhole(pool);
    },
  );
});

test("a nested transaction waits for the slow statement before it", async () => {
  const pool = testPool({ max: 1 });
  const ctx = background();
  const done = await withContext(pool).transaction(ctx, async (tx) => {
    const both = await Promise.all([
      tx.query<{ n: number }>(ctx, "select 1 as n, pg_sleep(2.5)"),
      tx.transaction(ctx, (inner) => inner.query<{ n: number }>(ctx, "select 2 as n")),
    ]);
    return both.map(({ rows }) => rows[0]?.n);
  });
  expect(done).toEqual([1, 2]);
  await expectWhole(pool);
});

test("`connection` does not end a transaction that the owner of a client has begun, and `transaction` refuses the client", async () => {
  const client = await testClient();
  const db = withContext(client);
  const ctx = background();
  await client.query("begin");
  await db.connection(ctx, (own) => own.query(ctx, "create temp table mine (n int)"));
  await expect(db.transaction(ctx, () => 1)).rejects.toThrow(/inside a transaction already/);
  await client.query("commit");
  expect((await client.query("select n from mine")).rows).toEqual([]);
  expect(await db.transaction(ctx, () => 1)).toBe(1);
});

test("a cancel request does not hit the query that a Pool's connect listener has sent", async () => {
  const pool = testPool({ max: 1 });
  const sent: Promise<unknown>[] = [];
  pool.on("connect", (client) => {
    sent.push(client.query("select set_config('app.tenant', 'x', false), pg_sleep(1)"));
  });
  const db = withContext(pool);
  using ctx = withTimeout(background(), 300);
  expect(await failure(db.query(ctx, "select 1"))).toBe(ctx.err());
  expect(ctx.err()).toBeDefined();
  const { rows } = await db.query(background(), "select current_setting('app.tenant') as tenant");
  expect(rows).toEqual([{ tenant: "x" }]);
  expect(await Promise.all(sent)).toHaveLength(1);
  await expectWhole(pool);
});

test("a client whose class has no Query is refused and goes back to its pool", async () => {
  class Odd extends pg.Client {
    static Query = undefined;
  }
  const pool = testPool({ max: 1, Client: Odd });
  for (let i = 0; i < 3; i++) {
    const query = withContext(pool).query(background(), "select 1");
    await expect(query).rejects.toThrow("makes no queries of its own");
  }
  await until(() => pool.idleCount === 1);
});

test("streams and transactions leave no listeners on their connection, however they end", async () => {
  const pool = testPool({ max: 1 });
  const db = withContext(pool);
  const ctx = background();
  const leased = await pool.connect();
  leased.release();
  const count = (): unknown =>
    [leased, leased.connection].map((each) =>
      each.eventNames().map((name) => [name, each.listenerCount(name)]),
    );
  await db.connection(ctx, (own) => own.query(ctx, "select 1"));
  const before = count();
  for (let i = 0; i < 30; i++) {
    for await (const _ of db.stream(ctx, "select generate_series(1, 300)")) break;
    await failure(all(db.stream(ctx, "select 1/0")));
    await failure(db.transaction(ctx, (tx) => tx.query(ctx, "select 1/0")));
    await sleep(ctx, 0);
  }
  expect(count()).toEqual(before);
});

describe("a stream that is left early", () => {
  test("while it fetches rows ends at once, and its query is stopped", async () => {
    const pool = testPool({ max: 1 });
    const rows = withContext(pool).stream(background(), "select pg_sleep(60)");
    const pending = rows.next();
    await until(() => pool.totalCount === 1 && pool.idleCount === 0);
    await rows.return();
    expect(await pending).toEqual({ value: undefined, done: true });
    await expectWhole(pool);
    expect(pool.totalCount).toBe(1);
  });

  test("while it waits for a connection ends at once, and the connection goes back to the pool", async () => {
    const pool = testPool({ max: 1 });
    const held = await pool.connect();
    const rows = withContext(pool).stream(background(), "select 1");
    const pending = rows.next();
    await rows.return();
    expect(await pending).toEqual({ value: undefined, done: true });
    held.release();
    await expectWhole(pool);
  });

  test("by the destruction of its Readable ends, and its query is stopped", async () => {
    const pool = testPool({ max: 1 });
    const readable = Readable.from(withContext(pool).stream(background(), "select pg_sleep(60)"));
    readable.resume();
    await until(() => pool.totalCount === 1 && pool.idleCount === 0);
    readable.destroy();
    await until(() => pool.idleCount === 1);
    await expectWhole(pool);
  });

  test("by its loop writes no receipt, because that is not a cancellation", async () => {
    const pool = testPool({ max: 1 });
    const ctx = withLedger(background());
    for await (const _ of withContext(pool).stream(ctx, "select generate_series(1, 1000)")) break;
    expect(await stopped(ctx)).toEqual([]);
  });

  test.each(["transaction", "connection"] as const)(
    "by the function of a %s causes a TypeError, and nothing is committed",
    async (verb) => {
      const pool = testPool({ max: 1 });
      const ctx = background();
      const db = withContext(pool);
      const work = db[verb](ctx, async (own: ContextQueries<pg.Pool>) => {
        await own.stream(ctx, "select generate_series(1, 1000)").next();
      });
      expect(await failure(work)).toMatchObject({
        name: "TypeError",
        message: expect.stringContaining("left a stream open") as string,
      });
      await expectWhole(pool);
      expect(pool.totalCount).toBe(1);
    },
  );
});

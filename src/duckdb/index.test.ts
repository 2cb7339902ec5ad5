import {
  DuckDBInstance,
  type DuckDBConnection,
  type DuckDBMaterializedResult,
  type DuckDBResultReader,
  type DuckDBValue,
} from "@duckdb/node-api";
import { afterAll, beforeAll, describe, expect, expectTypeOf, test } from "vitest";
import { computing, fuzz, longestBlock, quiet, until } from "../../test/embedded.ts";
import {
  background,
  isDeadlineExceeded,
  stopped,
  withCancel,
  withLedger,
  withTimeout,
  working,
  type Context,
} from "../index.ts";
import { withContext, type ContextConnection } from "./index.ts";

/** Minutes of computing. */
const ENDLESS = `SELECT count(*) FROM range(1000000) a, range(1000000) b WHERE (a.range * b.range) % 7 = 3`;

let instance: DuckDBInstance;
let raw: DuckDBConnection;
let connection: ContextConnection<DuckDBConnection>;

beforeAll(async () => {
  instance = await DuckDBInstance.create(":memory:");
  raw = await instance.connect();
  connection = withContext(raw);
});
afterAll(() => {
  raw.closeSync();
  instance.closeSync();
});

const failure = (promise: Promise<unknown>): Promise<unknown> =>
  promise.then(
    () => new Error("succeeded"),
    (error: unknown) => error,
  );

async function select(db: ContextConnection<DuckDBConnection>, ctx: Context, sql: string) {
  return (await db.runAndReadAll(ctx, sql)).getRowsJS();
}

test("methods, parameters and results are the driver's own", async () => {
  expectTypeOf(connection.run).returns.toEqualTypeOf<Promise<DuckDBMaterializedResult>>();
  expectTypeOf(connection.runAndReadAll).returns.toEqualTypeOf<Promise<DuckDBResultReader>>();
  expectTypeOf(connection.run).parameter(0).toEqualTypeOf<Context>();
  expectTypeOf(connection.run)
    .parameter(2)
    .toEqualTypeOf<DuckDBValue[] | Record<string, DuckDBValue> | undefined>();
  expectTypeOf(withContext(instance)).toEqualTypeOf(connection);

  const ctx = background();
  const result = await connection.run(ctx, "SELECT $1 + 1 AS n", [41]);
  expect(await result.getRowsJson()).toEqual([[42]]);
  const named = await connection.runAndRead(ctx, "SELECT $n AS n", { n: "x" });
  await named.readAll();
  expect(named.getRowObjects()).toEqual([{ n: "x" }]);
  const until = await connection.runAndReadUntil(ctx, "FROM range(10000)", 10);
  expect(until.currentRowCount).toBeGreaterThanOrEqual(10);
});

describe.each([
  ["a connection", () => connection],
  ["an instance", () => withContext(instance)],
])("over %s", (_, make) => {
  test("a canceled query stops: its promise settles and the CPU goes quiet", async () => {
    const db = make();
    using ctx = withCancel(background());
    const answer = failure(db.run(ctx, ENDLESS));
    await computing();
    ctx.cancel(new Error("client left"));
    expect(await answer).toBe(ctx.err());
    await quiet();
    expect(await select(db, background(), "SELECT 42")).toEqual([[42]]);
  });

  test("a deadline stops it too", async () => {
    using ctx = withTimeout(background(), 50);
    const error = await failure(make().runAndReadAll(ctx, ENDLESS));
    expect(isDeadlineExceeded(error)).toBe(true);
    expect(error).toBe(ctx.err());
    await quiet();
  });

  test("a cancel that comes before the engine has begun is not lost", async () => {
    const db = make();
    for (let i = 0; i < 200; i++) {
      using ctx = withCancel(withLedger(background()));
      const answer = failure(db.run(ctx, ENDLESS, i % 2 === 0 ? undefined : []));
      for (let turn = 0; turn < i % 20; turn++) await Promise.resolve();
      if (i % 20 === 19) await new Promise(setImmediate);
      ctx.cancel();
      expect(await answer).toBe(ctx.err());
      for (const { state } of await stopped(ctx)) expect(state).toBe("stopped");
    }
    await quiet();
  }, 60_000);

  test("late cancels never hit the next query", async () => {
    const db = make();
    const number = async (answer: Promise<unknown[][]>) => Number((await answer)[0]?.[0]);
    const count = await fuzz({
      seed: 86,
      cancels: 1_000,
      short: (ctx, n) => number(select(db, ctx, `SELECT ${n}`)),
      long: (ctx, n, ms) =>
        number(
          select(db, ctx, `SELECT ${n} + 0 * max((range * 31) % 7) FROM range(${ms * 200_000})`),
        ),
    });
    expect(count.wrong).toEqual([]);
    expect(count.stopped).toBeGreaterThan(50);
    expect(count.beaten).toBeGreaterThan(50);
    expect(count.innocent).toBeGreaterThan(50);
  }, 60_000);

  test("a done context starts nothing", async () => {
    const db = make();
    using ctx = withCancel(background());
    ctx.cancel();
    await expect(db.run(ctx, "CREATE TABLE never (n INT)")).rejects.toBe(ctx.err());
    await expect(select(db, background(), "FROM never")).rejects.toThrow("Catalog Error");
  });

  test("a context that was forgotten is a TypeError", async () => {
    const db = make();
    await expect(db.run("SELECT 1" as never, "SELECT 1")).rejects.toThrow(TypeError);
    await expect(db.run(undefined as never, "SELECT 1")).rejects.toThrow(/got undefined/);
  });

  test("the driver's errors pass untouched", async () => {
    using ctx = withCancel(background());
    await expect(make().run(ctx, "SELEC 1")).rejects.toThrow(/^Parser Error/);
    await expect(make().run(ctx, "SELECT error('INTERRUPT Error: no')")).rejects.toThrow(/Error/);
  });

  test("the event loop is free while a query computes", async () => {
    using ctx = withTimeout(background(), 1_000);
    const longest = await longestBlock(() => failure(make().run(ctx, ENDLESS)));
    expect(longest).toBeLessThan(500);
  });

  test("the ledger lists it, and has a receipt when it has stopped", async () => {
    const db = make();
    using ctx = withCancel(withLedger(background()));
    const answer = failure(db.run(ctx, "SELECT $1 FROM range(1000000000000)", ["secret"]));
    await until(() => working(ctx).length === 1);
    expect(working(ctx)[0]).toMatchObject({ kind: "duckdb.query" });
    await computing();
    ctx.cancel();
    await answer;
    const receipts = await stopped(ctx);
    expect(receipts).toMatchObject([
      {
        kind: "duckdb.query",
        what: "SELECT $1 FROM range(1000000000000)",
        state: "stopped",
        reason: "canceled",
      },
    ]);
    expect(JSON.stringify(receipts)).not.toContain("secret");
  });
});

describe("one connection", () => {
  test("waits in order, and whoever is canceled leaves at once", async () => {
    const other = withContext(raw); // a second wrapper stands in the same line
    using first = withCancel(background());
    using leaves = withCancel(background());
    const order: number[] = [];
    const running = failure(connection.run(first, ENDLESS)).then(() => order.push(1));
    const left = failure(other.run(leaves, "SELECT 2"));
    const third = select(connection, background(), "SELECT 3").then(() => order.push(3));
    const fourth = select(other, background(), "SELECT 4").then(() => order.push(4));
    await computing();
    leaves.cancel();
    expect(await left).toBe(leaves.err());
    expect(order).toEqual([]);
    first.cancel();
    await Promise.all([running, third, fourth]);
    expect(order).toEqual([1, 3, 4]);
  });

  test("a stop inside a transaction rolls it back, and COMMIT does not pretend", async () => {
    const ctx = background();
    await connection.run(ctx, "BEGIN");
    await connection.run(ctx, "CREATE TABLE half_done (n INT)");
    using inner = withCancel(ctx);
    const answer = failure(connection.run(inner, ENDLESS));
    await computing();
    inner.cancel();
    expect(await answer).toBe(inner.err());
    await expect(connection.run(ctx, "COMMIT")).rejects.toThrow(/no transaction is active/);
    await expect(connection.run(ctx, "FROM half_done")).rejects.toThrow(/Catalog Error/);
    await connection.run(ctx, "BEGIN; CREATE TABLE whole (n INT); COMMIT");
    expect(await select(connection, ctx, "FROM whole")).toEqual([]);
  });

  // Why it is not left to the caller. If this fails the driver has changed, and so may we.
  test("(the driver alone: a COMMIT after an interrupt succeeds, and commits nothing)", async () => {
    const own = await instance.connect();
    await own.run("BEGIN; CREATE TABLE lost (n INT)");
    const answer = failure(own.run(ENDLESS));
    await computing();
    own.interrupt();
    expect(String(await answer)).toContain("INTERRUPT Error");
    await own.run("COMMIT");
    await expect(own.run("FROM lost")).rejects.toThrow(/Catalog Error/);
    own.closeSync();
  });

  test("somebody else's interrupt is not ours: the driver's error passes", async () => {
    using ctx = withCancel(background());
    const answer = failure(connection.run(ctx, ENDLESS));
    await computing();
    raw.interrupt();
    expect(String(await answer)).toMatch(/INTERRUPT Error/);
    expect(ctx.err()).toBeUndefined();
  });
});

describe("an instance", () => {
  test("runs `max` at once; the others wait, and leave at once when canceled", async () => {
    const db = withContext(instance, { max: 2 });
    using ctx = withCancel(withLedger(background()));
    using waits = withCancel(background());
    const running = [1, 2].map(() => failure(db.run(ctx, ENDLESS)));
    const waiting = failure(db.run(waits, "SELECT 1"));
    const patient = select(db, background(), "SELECT 5");
    await until(() => working(ctx).length === 2);
    waits.cancel();
    expect(await waiting).toBe(waits.err());
    ctx.cancel();
    expect(await Promise.all(running)).toEqual([ctx.err(), ctx.err()]);
    expect(await patient).toEqual([[5]]);
    await quiet();
  });

  test("results are whole after their connection is closed", async () => {
    const result = await withContext(instance).run(background(), "FROM range(100000)");
    expect((await result.getRowsJson()).length).toBe(100_000);
  });

  test("a max of less than one is refused", () => {
    expect(() => withContext(instance, { max: 0 })).toThrow(RangeError);
    expect(() => withContext(instance, { max: NaN })).toThrow(RangeError);
  });
});

test("what is neither a connection nor an instance is refused", () => {
  expect(() => withContext({} as never)).toThrow(/DuckDBConnection or a DuckDBInstance/);
  expect(() => withContext(undefined as never)).toThrow(TypeError);
});

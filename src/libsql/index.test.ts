import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import Libsql from "libsql/promise";
import { afterAll, beforeAll, describe, expect, expectTypeOf, test } from "vitest";
import { computing, delay, fuzz, longestBlock, quiet, until } from "../../test/embedded.ts";
import {
  background,
  isDeadlineExceeded,
  stopped,
  withCancel,
  withLedger,
  within,
  withTimeout,
  working,
} from "../index.ts";
import { withContext, type ContextDatabase, type Value } from "./index.ts";

/** `n` steps of computing, about ten million a second, before the first row. */
const count = (n: number): string =>
  `WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c WHERE x < ${n}) SELECT count(*) AS n FROM c`;
/** Hours of it. */
const ENDLESS = count(1e12);

const dir = mkdtempSync(join(tmpdir(), "eightysix-libsql-"));
const file = join(dir, "test.db");
let raw: Libsql;
let db: ContextDatabase;

beforeAll(async () => {
  raw = new Libsql(file, {});
  db = withContext(raw);
  await db.all(background(), "CREATE TABLE t (x INTEGER)");
  await db.all(
    background(),
    "INSERT INTO t WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c WHERE x < 1000) SELECT x FROM c",
  );
});
afterAll(() => {
  raw.close();
  rmSync(dir, { recursive: true, force: true });
});

const failure = (promise: Promise<unknown>): Promise<unknown> =>
  promise.then(
    () => new Error("succeeded"),
    (error: unknown) => error,
  );

test("takes the real Database, and returns rows", async () => {
  expectTypeOf(raw).toExtend<Parameters<typeof withContext>[0]>();
  expectTypeOf<ContextDatabase["all"]>().returns.toEqualTypeOf<Promise<Record<string, Value>[]>>();
  const ctx = background();
  expect(await db.all(ctx, "SELECT ? + 1 AS n, ? AS s", 41, "x")).toEqual([{ n: 42, s: "x" }]);
  expect(await db.all(ctx, "SELECT :n AS n, @s AS s", { n: 1.5, s: null })).toEqual([
    { n: 1.5, s: null },
  ]);
  expect(await db.all(ctx, "SELECT x FROM t")).toHaveLength(1_000);
  expect(await db.all(ctx, "CREATE TABLE IF NOT EXISTS t (x)")).toEqual([]);
});

test("one parameter that is an object to JavaScript does not end the process", async () => {
  expect(await db.all(background(), "SELECT ? AS v", null)).toEqual([{ v: null }]);
  const [row] = await db.all(background(), "SELECT ? AS v", new Uint8Array([1, 2]));
  expect(new Uint8Array(row?.["v"] as ArrayBuffer)).toEqual(new Uint8Array([1, 2]));
  await expect(db.all(background(), "SELECT ?", true as never)).rejects.toThrow(/no booleans/);
  await expect(db.all(background(), "SELECT :b", { b: true as never })).rejects.toThrow(TypeError);
  await expect(db.all(background(), "SELECT ?", new Date() as never)).rejects.toThrow(/can only/);
});

test("a parameter that is not given is NULL, whatever was bound before", async () => {
  const sql = "SELECT ? AS a, ? AS b";
  expect(await db.all(background(), sql, 1, "somebody's")).toEqual([{ a: 1, b: "somebody's" }]);
  expect(await db.all(background(), sql, 2)).toEqual([{ a: 2, b: null }]);
  expect(await db.all(background(), sql)).toEqual([{ a: null, b: null }]);
  const named = "SELECT :a AS a, :b AS b";
  await db.all(background(), named, { a: 1, b: "somebody's" });
  const partly = await db.all(background(), named, { a: 2 });
  expect(partly).toEqual([{ a: 2, b: null }]);
});

test("a canceled query stops: its promise settles and the CPU goes quiet", async () => {
  using ctx = withCancel(background());
  const answer = failure(db.all(ctx, ENDLESS));
  await computing();
  ctx.cancel(new Error("client left"));
  expect(await answer).toBe(ctx.err());
  await quiet();
  expect(await db.all(background(), "SELECT 42 AS n")).toEqual([{ n: 42 }]);
});

test("a deadline stops it too", async () => {
  using ctx = withTimeout(background(), 50);
  const error = await failure(db.all(ctx, ENDLESS));
  expect(isDeadlineExceeded(error)).toBe(true);
  expect(error).toBe(ctx.err());
  await quiet();
});

test("a cancel that comes before the engine has begun is not lost", async () => {
  for (let i = 0; i < 200; i++) {
    using ctx = withCancel(withLedger(background()));
    const answer = failure(db.all(ctx, ENDLESS));
    for (let turn = 0; turn < i % 20; turn++) await Promise.resolve();
    if (i % 20 === 19) await new Promise(setImmediate);
    ctx.cancel();
    expect(await answer).toBe(ctx.err());
    for (const { state } of await stopped(ctx)) expect(state).toBe("stopped");
  }
  await quiet();
}, 60_000);

test("late cancels never hit the next query", async () => {
  const number = async (answer: Promise<Record<string, Value>[]>) =>
    Number((await answer)[0]?.["n"]);
  const seen = await fuzz({
    seed: 86,
    cancels: 1_000,
    short: (ctx, n) => number(db.all(ctx, "SELECT ? AS n", n)),
    long: (ctx, n, ms) => number(db.all(ctx, `SELECT ${n} + 0 * (${count(ms * 5_000)}) AS n`)),
  });
  expect(seen.wrong).toEqual([]);
  expect(seen.stopped).toBeGreaterThan(50);
  expect(seen.beaten).toBeGreaterThan(50);
  expect(seen.innocent).toBeGreaterThan(50);
}, 60_000);

test("a done context starts nothing", async () => {
  using ctx = withCancel(background());
  ctx.cancel();
  await expect(db.all(ctx, "CREATE TABLE never (n)")).rejects.toBe(ctx.err());
  await expect(db.all(background(), "SELECT * FROM never")).rejects.toThrow("no such table");
});

test("a context that was forgotten is a TypeError", async () => {
  await expect(db.all("SELECT 1" as never, "SELECT 1")).rejects.toThrow(TypeError);
  await expect(db.all(undefined as never, "SELECT 1")).rejects.toThrow(/got undefined/);
});

test("the driver's errors pass untouched", async () => {
  await expect(db.all(background(), "SELEC 1")).rejects.toMatchObject({ code: "SQLITE_ERROR" });
});

test("somebody else's interrupt is not ours: the driver's error passes", async () => {
  using ctx = withCancel(background());
  const answer = failure(db.all(ctx, ENDLESS));
  await computing();
  raw.interrupt();
  expect(await answer).toMatchObject({ code: "SQLITE_INTERRUPT" });
  expect(ctx.err()).toBeUndefined();
});

test("waits in order, and whoever is canceled leaves at once", async () => {
  const other = withContext(raw); // a second wrapper stands in the same line
  using first = withCancel(background());
  using leaves = withCancel(background());
  const order: number[] = [];
  const running = failure(db.all(first, ENDLESS)).then(() => order.push(1));
  const left = failure(other.all(leaves, "SELECT 2"));
  const third = db.all(background(), "SELECT 3").then(() => order.push(3));
  const fourth = other.all(background(), "SELECT 4").then(() => order.push(4));
  await computing();
  leaves.cancel();
  expect(await left).toBe(leaves.err());
  expect(order).toEqual([]);
  first.cancel();
  await Promise.all([running, third, fourth]);
  expect(order).toEqual([1, 3, 4]);
});

describe("the event loop", () => {
  /** What blocks the loop does so every time; a busy machine does not hold it up five times. */
  async function once(measure: () => Promise<number>, below: number): Promise<void> {
    let measured = Infinity;
    for (let i = 0; i < 5 && measured >= below; i++) measured = await measure();
    expect(measured).toBeLessThan(below);
  }

  /** A thousand rows, each of which costs a pass over the table. */
  const ROWS = "SELECT a.x, (SELECT sum(b.x * a.x) FROM t b WHERE b.x <> a.x) AS s FROM t a";

  test("is free while the first row is computed", async () => {
    const query = () => within(background(), 1_000, (ctx) => failure(db.all(ctx, ENDLESS)));
    await once(() => longestBlock(query), 500);
  });

  test("is free while garbage is collected", async () => {
    for (let i = 0; i < 100; i++) await db.all(background(), `SELECT ${i}`);
    const collect = async () => {
      await computing();
      globalThis.gc?.();
    };
    const query = () =>
      within(background(), 1_000, (ctx) => Promise.all([failure(db.all(ctx, ENDLESS)), collect()]));
    await once(() => longestBlock(query), 500);
  });

  test("gets its turn between expensive rows, and a stop reaches them", async () => {
    const long = `${ROWS}, t c`; // a million rows, minutes
    using ctx = withTimeout(background(), 300);
    let longest = 0;
    const answer = longestBlock(() => failure(db.all(ctx, long))).then((ms) => (longest = ms));
    await answer;
    expect(longest).toBeLessThan(2_000);
    await quiet();
    expect(await db.all(background(), "SELECT 1 AS n")).toEqual([{ n: 1 }]);
  });

  test("is free of rows that were MATERIALIZED first", async () => {
    const sql = `WITH q AS MATERIALIZED (${ROWS}) SELECT * FROM q`;
    const blockedBy = async (text: string) => {
      const began = performance.now();
      const longest = await longestBlock(() => db.all(background(), text));
      return longest / (performance.now() - began);
    };
    await once(() => blockedBy(sql), 0.5);
    expect(await db.all(background(), sql)).toEqual(await db.all(background(), ROWS));
  });
});

describe("transactions", () => {
  test("a stop rolls back, and COMMIT does not pretend", async () => {
    const ctx = background();
    for (const sql of [ENDLESS, `INSERT INTO t ${ENDLESS}`]) {
      await db.all(ctx, "BEGIN");
      await db.all(ctx, "CREATE TABLE half_done (n)");
      using inner = withCancel(ctx);
      const answer = failure(db.all(inner, sql));
      await computing();
      inner.cancel();
      expect(await answer).toBe(inner.err());
      await expect(db.all(ctx, "COMMIT")).rejects.toThrow(/no transaction is active/);
      await expect(db.all(ctx, "SELECT * FROM half_done")).rejects.toThrow("no such table");
    }
    await db.all(ctx, "BEGIN");
    await db.all(ctx, "CREATE TABLE whole (n)");
    await db.all(ctx, "COMMIT");
    expect(await db.all(ctx, "SELECT * FROM whole")).toEqual([]);
  });

  test("an engine that ignores its interrupts is waited for no longer than the grace", async () => {
    const holder = withContext(new Libsql(file, {}));
    await holder.all(background(), "BEGIN IMMEDIATE");
    const waiting = new Libsql(file, { timeout: 4_000 });
    const waits = withContext(waiting);
    using ctx = withCancel(withLedger(background()));
    // SQLite sleeps while it waits for a lock, deaf to interrupts.
    const answer = failure(waits.all(ctx, "INSERT INTO t VALUES (-1)"));
    await until(() => working(ctx).length === 1);
    await delay(50);
    ctx.cancel();
    let released = false;
    const next = waits.all(background(), "SELECT count(*) AS n FROM t WHERE x = -1");
    void next.then(() => (released = true));
    expect(await answer).toBe(ctx.err());
    expect(released).toBe(false);
    expect(await stopped(ctx)).toMatchObject([{ kind: "libsql.query", state: "lost" }]);
    // It is nobody else's turn until the engine has let go, and then it is not a victim.
    await holder.all(background(), "ROLLBACK");
    expect(await next).toEqual([{ n: 0 }]);
  }, 20_000);
});

test("the ledger lists it, and has a receipt when it has stopped", async () => {
  using ctx = withCancel(withLedger(background()));
  const sql = `SELECT ? FROM (${ENDLESS})`;
  const answer = failure(db.all(ctx, sql, "secret"));
  await until(() => working(ctx).length === 1);
  await computing();
  ctx.cancel();
  await answer;
  const receipts = await stopped(ctx);
  expect(receipts).toMatchObject([
    { kind: "libsql.query", what: sql, state: "stopped", reason: "canceled" },
  ]);
  expect(JSON.stringify(receipts)).not.toContain("secret");
});

test("what is no such Database is refused", async () => {
  expect(() => withContext({} as never)).toThrow(/libsql\/promise/);
  const { default: Sync } = await import("libsql");
  const blocking = withContext(new Sync(":memory:", {}) as never);
  await expect(blocking.all(background(), "SELECT 1")).rejects.toThrow(/blocks the event loop/);
});

describe("the driver alone (if one of these fails it has changed, and so may we)", () => {
  test("an iterator left in the middle keeps an interrupt in force for everybody", async () => {
    const own = new Libsql(":memory:", {});
    const statement = (await own.prepare(count(1_000).replace("count(*)", "x"))) as {
      iterate(): Promise<Iterator<unknown>>;
    };
    const rows = await statement.iterate();
    rows.next();
    own.interrupt();
    await expect(own.prepare("SELECT 1")).rejects.toMatchObject({ code: "SQLITE_INTERRUPT" });
    expect(() => {
      while (rows.next().done !== true);
    }).toThrow(/interrupted/);
    await own.prepare("SELECT 1");
  });

  test("a statement that is collected blocks the event loop until the query ends", async () => {
    const own = new Libsql(":memory:", {});
    for (let i = 0; i < 100; i++) await own.prepare(`SELECT ${i}`);
    const statement = (await own.prepare(count(2_000_000))) as { all(): Promise<unknown> };
    let took = 0;
    const longest = await longestBlock(async () => {
      const began = performance.now();
      const answer = statement.all();
      await delay(10);
      globalThis.gc?.();
      await answer;
      took = performance.now() - began;
    });
    expect(longest).toBeGreaterThan(took / 2);
  }, 60_000);

  test("interrupt() blocks the event loop until a running exec() is over", async () => {
    const own = new Libsql(":memory:", {});
    let over = false;
    const running = (own.exec(count(2_000_000)) as Promise<void>).then(() => (over = true));
    await computing();
    expect(over).toBe(false);
    const began = performance.now();
    own.interrupt();
    const blocked = performance.now() - began;
    await running;
    expect(blocked).toBeGreaterThan(20);
  }, 60_000);
});

test("closing while an operation is in flight waits for it, and the process lives", async () => {
  const other = new Libsql(file, {});
  const wrapped = withContext(other);
  using ctx = withCancel(background());
  const running = failure(wrapped.all(ctx, ENDLESS));
  other.close();
  ctx.cancel();
  expect(await running).toBe(ctx.err());
  expect(await failure(wrapped.all(background(), "SELECT 1"))).toMatchObject({
    message: "the database is closed",
  });
});

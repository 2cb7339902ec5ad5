import { mkdtempSync, rmSync } from "node:fs";
import { availableParallelism, tmpdir } from "node:os";
import { join } from "node:path";
import Libsql from "libsql/promise";
import { afterAll, beforeAll, beforeEach, describe, expect, expectTypeOf, test } from "vitest";
import { computing, delay, failure, longestBlock, quiet, until } from "../../test/embedded.ts";
import { engineSuite, type EngineUnderTest } from "../../test/support/engine-suite.ts";
import {
  background,
  stopped,
  withCancel,
  withLedger,
  within,
  withTimeout,
  working,
} from "../index.ts";
import {
  NothingCommittedError,
  withContext,
  type ContextDatabase,
  type ContextQueries,
  type ContextTransactional,
  type Value,
} from "./index.ts";

/** Returns SQL that computes `n` steps before its first row, about ten million in a second. */
const count = (n: number): string =>
  `WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c WHERE x < ${n}) SELECT count(*) AS n FROM c`;
/** SQL that computes for hours. */
const ENDLESS = count(1e12);

const dir = mkdtempSync(join(tmpdir(), "eightysix-libsql-"));
const file = join(dir, "test.db");
/** The driver's database, which `db` wraps. */
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

test("withContext takes the driver's Database, and all() returns rows", async () => {
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

test("a single parameter that is null or a Uint8Array does not abort the process", async () => {
  expect(await db.all(background(), "SELECT ? AS v", null)).toEqual([{ v: null }]);
  const [row] = await db.all(background(), "SELECT ? AS v", new Uint8Array([1, 2]));
  expect(new Uint8Array(row?.["v"] as ArrayBuffer)).toEqual(new Uint8Array([1, 2]));
  await expect(db.all(background(), "SELECT ?", true as never)).rejects.toThrow(/no booleans/);
  await expect(db.all(background(), "SELECT :b", { b: true as never })).rejects.toThrow(TypeError);
  await expect(db.all(background(), "SELECT ?", new Date() as never)).rejects.toThrow(/can only/);
});

test("a parameter that is missing is NULL, even if an earlier call bound a value", async () => {
  const sql = "SELECT ? AS a, ? AS b";
  expect(await db.all(background(), sql, 1, "of another call")).toEqual([
    { a: 1, b: "of another call" },
  ]);
  expect(await db.all(background(), sql, 2)).toEqual([{ a: 2, b: null }]);
  expect(await db.all(background(), sql)).toEqual([{ a: null, b: null }]);
  const named = "SELECT :a AS a, :b AS b";
  await db.all(background(), named, { a: 1, b: "of another call" });
  const partly = await db.all(background(), named, { a: 2 });
  expect(partly).toEqual([{ a: 2, b: null }]);
});

const engine: EngineUnderTest<ContextQueries, ContextTransactional, ContextDatabase> = {
  name: "libsql",
  endless: ENDLESS,
  after: (ms, value) => `SELECT ${value} + 0 * (${count(Math.ceil(ms * 5_000))}) AS n`,
  // A parameter, because more than a thousand different texts would be garbage collected, which blocks
  // the event loop.
  async compute(db, ctx, value, ms) {
    const sql =
      ms === 0 ? "SELECT ? AS n" : `SELECT ? + 0 * (${count(Math.ceil(ms) * 5_000)}) AS n`;
    return Number((await db.all(ctx, sql, value))[0]?.["n"]);
  },
  below: (n) =>
    `WITH RECURSIVE c(n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM c WHERE n < ${n - 1}) SELECT n FROM c`,
  drip: `WITH RECURSIVE c(n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM c) SELECT n FROM c WHERE n % 10000 = 0`,
  nonsense: ["SELEC 1", /syntax error/],
  noTable: /no such table/,
  async select(db, ctx, sql) {
    return (await db.all(ctx, sql)).map((row) => Number(Object.values(row)[0]));
  },
  async *stream(db, ctx, sql) {
    for await (const row of db.stream(ctx, sql)) yield Number(Object.values(row)[0]);
  },
  transaction: (db, ctx, fn) => db.transaction(ctx, fn),
  connection: (db, ctx, fn) => db.connection(ctx, fn),
};

engineSuite(engine, "a database", () => withContext(raw), { interrupt: () => raw.interrupt() });

describe("the event loop", () => {
  /**
   * Code that blocks the loop does so every time. A busy machine delays it once, but not five times. So
   * one of five measurements must be below the limit.
   */
  async function once(measure: () => Promise<number>, below: number): Promise<void> {
    let measured = Infinity;
    for (let i = 0; i < 5 && measured >= below; i++) measured = await measure();
    expect(measured).toBeLessThan(below);
  }

  /** A thousand rows, each of which scans the table. */
  const ROWS = "SELECT a.x, (SELECT sum(b.x * a.x) FROM t b WHERE b.x <> a.x) AS s FROM t a";

  test("is not blocked by garbage collection while a query runs", async () => {
    for (let i = 0; i < 100; i++) await db.all(background(), `SELECT ${i}`);
    const collect = async () => {
      await computing();
      globalThis.gc?.();
    };
    const query = () =>
      within(background(), 1_000, (ctx) => Promise.all([failure(db.all(ctx, ENDLESS)), collect()]));
    await once(() => longestBlock(query), 500);
  });

  test("gets its turn between expensive rows, so that their query can be stopped", async () => {
    const long = `${ROWS}, t c`; // a million rows, minutes
    using ctx = withTimeout(background(), 300);
    let longest = 0;
    const answer = longestBlock(() => failure(db.all(ctx, long))).then((ms) => (longest = ms));
    await answer;
    expect(longest).toBeLessThan(2_000);
    await quiet();
    expect(await db.all(background(), "SELECT 1 AS n")).toEqual([{ n: 1 }]);
  });

  test("is not blocked by expensive rows in a MATERIALIZED subquery", async () => {
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

describe("a transaction", () => {
  const names = async () =>
    (await db.all(background(), "SELECT n FROM booked ORDER BY n")).map(({ n }) => n);
  const insert = (tx: ContextQueries, n: number) =>
    tx.all(background(), "INSERT INTO booked VALUES (?)", n);
  beforeEach(async () => {
    await db.all(background(), "DROP TABLE IF EXISTS booked");
    await db.all(background(), "CREATE TABLE booked (n INTEGER)");
  });

  test("inside another transaction is a savepoint", async () => {
    const ctx = background();
    await db.transaction(ctx, async (tx) => {
      await insert(tx, 1);
      await tx.transaction(ctx, (inner) => insert(inner, 2));
      const undone = tx.transaction(ctx, async (inner) => {
        await insert(inner, 3);
        await inner.transaction(ctx, (innermost) => insert(innermost, 4));
        throw new Error("undo");
      });
      await expect(undone).rejects.toThrow("undo");
      await insert(tx, 5);
    });
    expect(await names()).toEqual([1, 2, 5]);
  });

  test("goes on after a query was stopped in a savepoint", async () => {
    const ctx = background();
    await db.transaction(ctx, async (tx) => {
      await insert(tx, 1);
      using short = withTimeout(ctx, 50);
      const stop = tx.transaction(short, async (inner) => {
        await insert(inner, 2);
        await inner.all(ctx, ENDLESS);
      });
      expect(await failure(stop)).toBe(short.err());
      await insert(tx, 3);
    });
    expect(await names()).toEqual([1, 3]);
  });

  test("commits nothing after a write was stopped in a savepoint, and rejects with NothingCommittedError", async () => {
    const ctx = background();
    const work = db.transaction(ctx, async (tx) => {
      await insert(tx, 1);
      using short = withTimeout(ctx, 50);
      const stop = tx.transaction(short, (inner) =>
        inner.all(ctx, `INSERT INTO booked ${ENDLESS}`),
      );
      expect(await failure(stop)).toBe(short.err());
      await expect(insert(tx, 2)).rejects.toMatchObject({ code: "ERR_NOTHING_COMMITTED" });
    });
    await expect(work).rejects.toBeInstanceOf(NothingCommittedError);
    expect(await names()).toEqual([]);
  });

  test.each(["immediate", "exclusive"] as const)(
    "locks the database at its beginning if its mode is %s",
    async (mode) => {
      const other = withContext(new Libsql(file, {}));
      const locked = (options?: { mode: typeof mode }) =>
        failure(other.transaction(background(), () => 1, options));
      await db.transaction(
        background(),
        async () =>
          expect(await locked({ mode: "immediate" as typeof mode })).toMatchObject({
            code: "SQLITE_BUSY",
          }),
        { mode },
      );
      await db.transaction(background(), async () =>
        expect(await locked()).toMatchObject({ message: "succeeded" }),
      );
    },
  );

  test("rejects unknown modes and options with a TypeError", async () => {
    const mode = "later" as never;
    await expect(db.transaction(background(), () => 1, { mode })).rejects.toThrow(/deferred, imm/);
    const options = { isolation: "serializable" } as never;
    await expect(db.transaction(background(), () => 1, options)).rejects.toThrow(
      /unknown option "iso/,
    );
  });

  test("rejects with the driver's error if its COMMIT waits too long for a reader", async () => {
    const other = withContext(new Libsql(file, {}));
    const reading = other.stream(background(), "SELECT * FROM t, t AS u");
    await reading.next();
    const work = db.transaction(background(), (tx) => insert(tx, 1));
    expect(await failure(work)).toMatchObject({ code: "SQLITE_BUSY" });
    await reading.return();
    expect(await names()).toEqual([]);
    await db.transaction(background(), (tx) => insert(tx, 2));
    expect(await names()).toEqual([2]);
  });
});

test("a statement that failed because of a lock does not fail later statements", async () => {
  const ctx = background();
  const holder = withContext(new Libsql(file, {}));
  const other = withContext(new Libsql(file, {}));
  for (const refused of ["BEGIN IMMEDIATE", "INSERT INTO t VALUES (-2)"]) {
    await holder.all(ctx, "BEGIN IMMEDIATE");
    expect(await failure(other.all(ctx, refused))).toMatchObject({ code: "SQLITE_BUSY" });
    const work = other.transaction(ctx, async (tx) => {
      expect(await failure(tx.all(ctx, "DELETE FROM t"))).toMatchObject({ code: "SQLITE_BUSY" });
    });
    expect(await failure(work)).toMatchObject({ code: "SQLITE_BUSY" }); // its COMMIT
    await holder.all(ctx, "ROLLBACK");
    using canceled = withTimeout(ctx, 20);
    expect(await failure(other.all(canceled, ENDLESS))).toBe(canceled.err());
    await other.transaction(ctx, (tx) => tx.all(ctx, "UPDATE t SET x = x"));
  }
  expect(await db.all(ctx, "SELECT count(*) AS n FROM t")).toEqual([{ n: 1_000 }]);
});

describe("a stream", () => {
  test("binds its parameters", async () => {
    const rows: unknown[] = [];
    for await (const row of db.stream(background(), "SELECT ? AS a, ? AS b", 1, "x"))
      rows.push(row);
    for await (const row of db.stream(background(), "SELECT :a AS a", { a: 2 })) rows.push(row);
    expect(rows).toEqual([{ a: 1, b: "x" }, { a: 2 }]);
  });

  test("with RETURNING keeps its changes if its loop is left, and makes them once", async () => {
    const ctx = background();
    await db.all(ctx, "CREATE TABLE returned (n)");
    const sql = "INSERT INTO returned SELECT x FROM t RETURNING n";
    for await (const row of db.stream(ctx, sql)) if (row["n"] === 3) break;
    for await (const row of db.stream(ctx, sql)) void row;
    expect(await db.all(ctx, "SELECT count(*) AS n FROM returned")).toEqual([{ n: 2_000 }]);
    for (const n of [100, 200]) {
      // As many rows as the driver fetches at once. After those, one more fetch would run it again.
      const some = `INSERT INTO returned SELECT x FROM t LIMIT ${n} RETURNING n`;
      let seen = 0;
      for await (const row of db.stream(ctx, some)) seen += Number(row["n"] !== null);
      expect(seen).toBe(n);
    }
    expect(await db.all(ctx, "SELECT count(*) AS n FROM returned")).toEqual([{ n: 2_300 }]);
  });

  test("with RETURNING undoes its changes if its context ends before its loop", async () => {
    const ctx = background();
    await db.all(ctx, "CREATE TABLE undone (n)");
    using short = withCancel(ctx);
    const rows = db.stream(
      short,
      "INSERT INTO undone SELECT a.x FROM t a, t LIMIT 300000 RETURNING n",
    );
    await rows.next();
    short.cancel();
    expect(await db.all(ctx, "SELECT count(*) AS n FROM undone")).toEqual([{ n: 0 }]);
    expect(await failure(rows.next())).toBe(short.err());
  });

  test("leaves no interrupt in force after its loop was left or its context has ended", async () => {
    for (let i = 0; i < 50; i++) {
      using ctx = withCancel(background());
      const rows = db.stream(ctx, "SELECT * FROM t, t AS u");
      await rows.next();
      if (i % 2 === 0) ctx.cancel();
      else await rows.return();
      expect(await db.all(background(), "SELECT 42 AS n")).toEqual([{ n: 42 }]);
    }
  });

  test("makes close() wait until it has ended", async () => {
    const other = new Libsql(file, {});
    const rows = withContext(other).stream(background(), "SELECT x FROM t");
    await rows.next();
    other.close();
    let seen = 1;
    for await (const row of rows) seen += Number(row["x"] !== null);
    expect(seen).toBe(1_000);
    await expect(withContext(other).all(background(), "SELECT 1")).rejects.toThrow(/is closed/);
  });
});

describe("a wrapped database", () => {
  test("rolls back a transaction that BEGIN opened if a query in it was stopped, and rejects its COMMIT", async () => {
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

  test('rejects after the stop timeout if the engine ignores its interrupts, and has the receipt "abandoned"', async () => {
    const holder = withContext(new Libsql(file, {}));
    await holder.all(background(), "BEGIN IMMEDIATE");
    const waiting = new Libsql(file, { timeout: 4_000 });
    const waits = withContext(waiting);
    using ctx = withCancel(withLedger(background()));
    // SQLite sleeps while it waits for a lock, and ignores interrupts.
    const answer = failure(waits.all(ctx, "INSERT INTO t VALUES (-1)"));
    await until(() => working(ctx).length === 1);
    await delay(50);
    ctx.cancel();
    let released = false;
    const next = waits.all(background(), "SELECT count(*) AS n FROM t WHERE x = -1");
    void next.then(() => (released = true));
    expect(await answer).toBe(ctx.err());
    expect(released).toBe(false);
    expect(await stopped(ctx)).toMatchObject([{ kind: "libsql.query", state: "abandoned" }]);
    // The next operation starts after the first one has ended, and the interrupts do not hit it.
    await holder.all(background(), "ROLLBACK");
    expect(await next).toEqual([{ n: 0 }]);
  }, 20_000);
});

test("a query that waits while lock waits hold the driver's workers stops at once, and the lock's holder can commit", async () => {
  const holder = withContext(new Libsql(file, {}));
  await holder.all(background(), "BEGIN IMMEDIATE");
  const waiters = Array.from({ length: availableParallelism() + 1 }, (_, i) => {
    const waiter = withContext(new Libsql(file, { timeout: 20_000 }));
    return waiter.all(background(), `INSERT INTO t VALUES (${-100 - i})`);
  });
  const other = withContext(new Libsql(":memory:", {}));
  using ctx = withCancel(withLedger(background()));
  const answer = failure(other.all(ctx, "SELECT 1"));
  await delay(50);
  ctx.cancel();
  const start = performance.now();
  expect(await answer).toBe(ctx.err());
  expect(performance.now() - start).toBeLessThan(1_500);
  expect(await stopped(ctx)).toMatchObject([{ kind: "libsql.query", state: "stopped" }]);
  await holder.all(background(), "COMMIT");
  await Promise.all(waiters);
  await other.all(background(), "SELECT 1");
  await holder.all(background(), "DELETE FROM t WHERE x <= -100");
}, 30_000);

test('the ledger holds the SQL of a query and none of its parameters, and has the receipt "stopped"', async () => {
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

test("withContext throws for other objects, and all() rejects on a Database that blocks the event loop", async () => {
  expect(() => withContext({} as never)).toThrow(/libsql\/promise/);
  const { default: Sync } = await import("libsql");
  const blocking = withContext(new Sync(":memory:", {}) as never);
  await expect(blocking.all(background(), "SELECT 1")).rejects.toThrow(/blocks the event loop/);
});

// If one of these tests fails, the driver has changed and the adapter may become simpler.
describe("the driver alone", () => {
  test("rejects every COMMIT after a statement has failed because of a lock", async () => {
    const all = async (own: Libsql, sql: string) =>
      ((await own.prepare(sql)) as { all(): Promise<unknown> }).all();
    const [holder, own] = [new Libsql(file, {}), new Libsql(file, {})];
    await all(holder, "BEGIN IMMEDIATE");
    const refused = (await own.prepare("BEGIN IMMEDIATE")) as { all(): Promise<unknown> };
    expect(await failure(refused.all())).toMatchObject({ code: "SQLITE_BUSY" });
    await all(holder, "ROLLBACK");
    await all(own, "BEGIN");
    await expect(all(own, "COMMIT")).rejects.toThrow(/statements in progress/);
    await expect(refused.all()).rejects.toThrow(/within a transaction/); // keeps the statement from being garbage collected until here
  });

  test("keeps an interrupt in force for all statements while an iterator is not read to its end", async () => {
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

  test("blocks the event loop until the query ends if a statement is garbage collected", async () => {
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

  test("blocks the event loop in interrupt() until a running exec() has ended", async () => {
    const own = new Libsql(":memory:", {});
    let hasEnded = false;
    const running = (own.exec(count(2_000_000)) as Promise<void>).then(() => (hasEnded = true));
    await computing();
    expect(hasEnded).toBe(false);
    const began = performance.now();
    own.interrupt();
    const blocked = performance.now() - began;
    await running;
    expect(blocked).toBeGreaterThan(20);
  }, 60_000);
});

test("close() waits for the operation that runs, and does not abort the process", async () => {
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

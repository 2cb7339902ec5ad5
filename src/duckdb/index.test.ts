import {
  DuckDBInstance,
  type DuckDBConnection,
  type DuckDBDataChunk,
  type DuckDBPreparedStatement,
  type JS,
  type Json,
  type DuckDBMaterializedResult,
  type DuckDBResultReader,
  type DuckDBValue,
} from "@duckdb/node-api";
import { afterAll, beforeAll, beforeEach, describe, expect, expectTypeOf, test } from "vitest";
import { computing, failure, quiet, until } from "../../test/embedded.ts";
import { engineSuite, type EngineUnderTest } from "../../test/support/engine-suite.ts";
import {
  background,
  stopped,
  withCancel,
  withLedger,
  withTimeout,
  working,
  type CancelableContext,
  type Context,
} from "../index.ts";
import {
  NothingCommittedError,
  withContext,
  type ContextConnection,
  type ContextInstance,
  type ContextQueries,
} from "./index.ts";

/** SQL that computes for minutes. */
const ENDLESS = `SELECT count(*) FROM range(1000000) a, range(1000000) b WHERE (a.range * b.range) % 7 = 3`;

let instance: DuckDBInstance;
/** The driver's connection, which `connection` wraps. */
let raw: DuckDBConnection;
let connection: ContextConnection<DuckDBConnection>;
/** Runs one operation at a time. */
let single: ContextInstance<DuckDBConnection>;

beforeAll(async () => {
  instance = await DuckDBInstance.create(":memory:");
  single = withContext(instance, { max: 1 });
  raw = await instance.connect();
  connection = withContext(raw);
});
afterAll(() => {
  raw.closeSync();
  instance.closeSync();
});

async function select(db: ContextQueries<DuckDBConnection>, ctx: Context, sql: string) {
  return (await db.runAndReadAll(ctx, sql)).getRowsJS();
}

test("methods have the driver's names, parameters and results", async () => {
  expectTypeOf(connection.run).returns.toEqualTypeOf<Promise<DuckDBMaterializedResult>>();
  expectTypeOf(connection.runAndReadAll).returns.toEqualTypeOf<Promise<DuckDBResultReader>>();
  expectTypeOf(connection.run).parameter(0).toEqualTypeOf<Context>();
  expectTypeOf(connection.run)
    .parameter(2)
    .toEqualTypeOf<DuckDBValue[] | Record<string, DuckDBValue> | undefined>();
  expectTypeOf(withContext(instance).run).toEqualTypeOf(connection.run);

  const ctx = background();
  const result = await connection.run(ctx, "SELECT $1 + 1 AS n", [41]);
  expect(await result.getRowsJson()).toEqual([[42]]);
  const named = await connection.runAndRead(ctx, "SELECT $n AS n", { n: "x" });
  await named.readAll();
  expect(named.getRowObjects()).toEqual([{ n: "x" }]);
  const until = await connection.runAndReadUntil(ctx, "FROM range(10000)", 10);
  expect(until.currentRowCount).toBeGreaterThanOrEqual(10);
});

const engine: EngineUnderTest<Queries, Own, Face> = {
  name: "duckdb",
  endless: ENDLESS,
  after: (ms, value) =>
    `SELECT ${value} + 0 * max((range * 31) % 7) FROM range(${Math.ceil(ms * 200_000)})`,
  async compute(db, ctx, value, ms) {
    const sql = ms === 0 ? `SELECT ${value}` : engine.after(ms, value);
    return (await engine.select(db, ctx, sql))[0]!;
  },
  below: (n) => `SELECT range::INT AS n FROM range(${n})`,
  drip: "SELECT range AS n, range::VARCHAR AS s FROM range(10000000000) WHERE range % 1000 = 0",
  nonsense: ["SELEC 1", /^Parser Error/],
  noTable: /Catalog Error/,
  async select(db, ctx, sql) {
    return (await db.runAndReadAll(ctx, sql)).getRowsJS().map(([value]) => Number(value));
  },
  async *stream(db, ctx, sql) {
    for await (const [value] of db.stream(ctx, { sql, read: "yieldRowsJs" })) yield Number(value);
  },
  transaction: (db, ctx, fn) => db.transaction(ctx, fn),
  connection: (db, ctx, fn) => db.connection(ctx, fn),
};
type Queries = ContextQueries<DuckDBConnection>;
type Own = Pick<Face, "transaction"> & Queries;
type Face = ContextInstance<DuckDBConnection>;

engineSuite(engine, "a connection", () => withContext(raw), { interrupt: () => raw.interrupt() });
engineSuite(engine, "an instance", () => single);

test("the ledger holds the SQL of a query and none of its parameters", async () => {
  using ctx = withCancel(withLedger(background()));
  const sql = "SELECT $1 FROM range(1000000000000)";
  const answer = failure(connection.run(ctx, sql, ["secret"]));
  await computing();
  ctx.cancel();
  await answer;
  expect(JSON.stringify(await stopped(ctx))).toContain(sql);
  expect(JSON.stringify(await stopped(ctx))).not.toContain("secret");
});

describe("a wrapped connection", () => {
  test("rolls back a transaction in which a query was stopped, and rejects its COMMIT", async () => {
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

  // The reason for the rollback. If this test fails, the driver has changed and may not need it.
  test("needs that rollback, because the driver alone lets the COMMIT succeed and commits nothing", async () => {
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
});

describe("a wrapped instance", () => {
  test("runs `max` operations at once, and one that waits leaves the queue as soon as it is canceled", async () => {
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

  test("returns results that can be read after their connection is closed", async () => {
    const result = await withContext(instance).run(background(), "FROM range(100000)");
    expect((await result.getRowsJson()).length).toBe(100_000);
  });

  test("throws an error for a max that is not a whole number of at least 1", () => {
    expect(() => withContext(instance, { max: 0 })).toThrow(RangeError);
    expect(() => withContext(instance, { max: NaN })).toThrow(RangeError);
    expect(() => withContext(instance, { max: 1.5 })).toThrow(
      /takes as max a whole number of at least 1, got number 1.5/,
    );
    expect(() => withContext(instance, { max: "3" as never })).toThrow(
      new TypeError(
        'withContext(instance, options) takes a number as max, got the string "3"; pass a number',
      ),
    );
  });

  test("throws a TypeError for an unknown option", () => {
    const misspelled = { maximum: 2 } as { max?: number };
    expect(() => withContext(instance, misspelled)).toThrow(/unknown option "maximum".* max$/);
  });
});

test("withContext throws a TypeError for an argument that is neither a connection nor an instance", () => {
  expect(() => withContext({} as never)).toThrow(/DuckDBConnection or a DuckDBInstance/);
  expect(() => withContext(undefined as never)).toThrow(TypeError);
});

test("withContext throws a TypeError for a connection with options, which only an instance has", () => {
  const wrap = withContext as unknown as (target: DuckDBConnection, options: object) => unknown;
  expect(() => wrap(raw, { max: 2 })).toThrow(/max is for a DuckDBInstance/);
});

const chunks = (sql: string) => ({ sql, read: "chunks" as const });

describe.each([
  ["a connection", () => connection],
  ["an instance", () => withContext(instance, { max: 1 })],
])("a stream over %s", (_, make) => {
  test("yields chunks, rows or objects, to the end of the result", async () => {
    const db = make();
    const ctx = background();
    let rows = 0;
    for await (const chunk of db.stream(ctx, { sql: "FROM range(10000)", read: "chunks" })) {
      expectTypeOf(chunk).toEqualTypeOf<DuckDBDataChunk>();
      rows += chunk.rowCount;
    }
    expect(rows).toBe(10_000);
    const objects: unknown[] = [];
    const sql = "SELECT range AS n FROM range($1::BIGINT)";
    for await (const row of db.stream(ctx, sql, [3n])) {
      expectTypeOf(row).toEqualTypeOf<Record<string, JS>>();
      objects.push(row);
    }
    for await (const row of db.stream(ctx, { sql, read: "yieldRowsJson" }, [1n])) {
      expectTypeOf(row).toEqualTypeOf<Json[]>();
      objects.push(row);
    }
    expect(objects).toEqual([{ n: 0n }, { n: 1n }, { n: 2n }, ["0"]]);
    expect(await select(db, ctx, "SELECT 42")).toEqual([[42]]);
  });

  test("throws if it fails in the middle", async () => {
    const db = make();
    const sql =
      "SELECT CASE WHEN range = 5000000 THEN error('boom') ELSE range::VARCHAR END FROM range(10000000)";
    let rows = 0;
    const loop = async () => {
      for await (const chunk of db.stream(background(), chunks(sql))) rows += chunk.rowCount;
    };
    expect(String(await failure(loop()))).toMatch(/boom|ended early/);
    expect(await select(db, background(), "SELECT 42")).toEqual([[42]]);
    expect(rows).toBeLessThan(10_000_000);
  });

  test("commits its changes, even if its loop is left", async () => {
    const db = make();
    const name = `returned_${db === connection ? 1 : 2}`;
    await db.run(background(), `CREATE OR REPLACE TABLE ${name} (n INT)`);
    const sql = `INSERT INTO ${name} SELECT range FROM range(10000) RETURNING n`;
    for await (const chunk of db.stream(background(), chunks(sql))) if (chunk.rowCount > 0) break;
    for await (const chunk of db.stream(background(), chunks(sql))) void chunk;
    expect(await select(db, background(), `SELECT count(*)::INT FROM ${name}`)).toEqual([[20_000]]);
  });
});

test("a stream inside a transaction that BEGIN opened leaves it open, unless the stream is stopped", async () => {
  const ctx = background();
  await connection.run(ctx, "BEGIN; CREATE TABLE kept AS FROM range(10000)");
  for await (const chunk of connection.stream(ctx, chunks("FROM kept")))
    if (chunk.rowCount > 0) break;
  await connection.run(ctx, "COMMIT; BEGIN; CREATE TABLE gone (n INT)");
  using inner = withCancel(ctx);
  const read = connection.stream(inner, "FROM kept");
  await read.next();
  inner.cancel();
  await expect(connection.run(ctx, "COMMIT")).rejects.toThrow(/no transaction is active/);
  await expect(connection.run(ctx, "FROM gone")).rejects.toThrow(/Catalog Error/);
});

describe("a prepared statement", () => {
  test("is accepted instead of SQL, and binds its values when it is its turn", async () => {
    const ctx = background();
    const sum = await connection.prepare(ctx, "SELECT $1::INT + $2::INT AS n");
    expectTypeOf(sum).toEqualTypeOf<DuckDBPreparedStatement>();
    const answers = await Promise.all(
      [1, 2, 3, 4].map(async (n) => (await connection.runAndReadAll(ctx, sum, [n, n])).getRowsJS()),
    );
    expect(answers).toEqual([[[2]], [[4]], [[6]], [[8]]]);
    expect((await connection.runAndReadUntil(ctx, sum, 1, [1, 1])).getRowsJS()).toEqual([[2]]);
    await expect(connection.run(ctx, sum, [1])).rejects.toThrow(/Values were not provided/);
    await expect(connection.run(ctx, sum)).rejects.toThrow(/Values were not provided/);
    const rows: unknown[] = [];
    for await (const row of connection.stream(ctx, sum, [1, 2])) rows.push(row);
    expect(rows).toEqual([{ n: 3 }]);
    sum.destroySync();
  });

  test("stops when its context ends", async () => {
    const endless = await connection.prepare(background(), ENDLESS);
    using ctx = withCancel(background());
    const answer = failure(connection.run(ctx, endless));
    await computing();
    ctx.cancel();
    expect(await answer).toBe(ctx.err());
    await quiet();
  });

  test("is rejected on another connection, which the interrupt would not hit", async () => {
    const statement = await connection.prepare(background(), "SELECT 1");
    const other = withContext(instance).run(background(), statement);
    await expect(other).rejects.toThrow(/on another connection/);
    const foreign = await raw.prepare("SELECT 1");
    await expect(connection.run(background(), foreign)).rejects.toThrow(TypeError);
  });
});

describe.each([
  ["a connection", () => connection],
  ["an instance", () => withContext(instance, { max: 2 })],
])("a transaction over %s", (_, make) => {
  const rows = async () =>
    (await select(connection, background(), "SELECT n FROM booked ORDER BY n")).flat();
  beforeEach(() => connection.run(background(), "CREATE OR REPLACE TABLE booked (n INT)"));

  test("rolls back if its context ends between two statements", async () => {
    using ctx = withCancel(background());
    const work = make().transaction(ctx, async (tx) => {
      await tx.run(ctx, "INSERT INTO booked VALUES (1)");
      ctx.cancel();
    });
    expect(await failure(work)).toBe(ctx.err());
    expect(await rows()).toEqual([]);
  });

  test("commits nothing if its function catches the error of a stopped statement, and rejects later statements", async () => {
    const ctx = background();
    const work = make().transaction(ctx, async (tx) => {
      await tx.run(ctx, "INSERT INTO booked VALUES (1)");
      using short = withTimeout(ctx, 30);
      expect(await failure(tx.run(short, ENDLESS))).toBe(short.err());
      await expect(tx.run(ctx, "INSERT INTO booked VALUES (2)")).rejects.toThrow(/aborted/);
    });
    await expect(work).rejects.toMatchObject({ code: "ERR_NOTHING_COMMITTED" });
    expect(await rows()).toEqual([]);
  });

  test("commits nothing if its function catches the error of a stopped stream", async () => {
    const ctx = background();
    const work = make().transaction(ctx, async (tx) => {
      await tx.run(ctx, "INSERT INTO booked VALUES (1)");
      using short = withCancel(ctx);
      const loop = async () => {
        for await (const row of tx.stream(short, ENDLESS)) void row;
      };
      const looping = failure(loop());
      await computing();
      short.cancel();
      expect(await looping).toBe(short.err());
    });
    await expect(work).rejects.toBeInstanceOf(NothingCommittedError);
    expect(await rows()).toEqual([]);
  });

  test("rejects a transaction inside it, because DuckDB has no savepoints", async () => {
    const ctx = background();
    await make().transaction(ctx, async (tx) => {
      await tx.run(ctx, "INSERT INTO booked VALUES (1)");
      const within = (tx as ContextConnection<DuckDBConnection>).transaction(ctx, () => 1);
      await expect(within).rejects.toThrow(/no savepoints/);
    });
    expect(await rows()).toEqual([1]);
  });
});

test("a transaction whose COMMIT fails rejects with the driver's error", async () => {
  const ctx = background();
  const db = withContext(instance);
  await db.run(ctx, "CREATE TABLE once (n INT PRIMARY KEY)");
  const insert = () =>
    db.transaction(ctx, async (tx) => {
      await tx.run(ctx, "INSERT INTO once VALUES (1)");
      await both;
    });
  let arrived!: () => void;
  const both = new Promise<void>((resolve) => (arrived = resolve));
  const work = [insert(), insert()];
  setTimeout(arrived, 50);
  const outcomes = await Promise.allSettled(work);
  const errors = outcomes.filter((outcome) => outcome.status === "rejected");
  expect(errors.map(({ reason }) => String(reason))).toEqual([
    expect.stringMatching(/(Constraint|TransactionContext) Error/),
  ]);
});

describe("connection()", () => {
  test("keeps temporary tables until its function has ended, and closes its connection then", async () => {
    const db = withContext(instance, { max: 1 });
    const ctx = background();
    let kept!: ContextQueries<DuckDBConnection>;
    const count = await db.connection(ctx, async (own) => {
      kept = own;
      await own.run(ctx, "CREATE TEMP TABLE mine AS FROM range(7)");
      const all = await own.prepare(ctx, "SELECT count(*)::INT FROM mine");
      return await own.transaction(ctx, async (tx) =>
        (await tx.runAndReadAll(ctx, all)).getRowsJS(),
      );
    });
    expect(count).toEqual([[7]]);
    await expect(db.run(ctx, "FROM mine")).rejects.toThrow("Catalog Error");
    await expect(kept.run(ctx, "SELECT 1")).rejects.toThrow(/connection has ended/);
  });
});

// If one of these tests fails, the driver has changed and the adapter may become simpler.
describe("the driver alone", () => {
  const read = async (connection: DuckDBConnection, sql: string) => {
    let rows = 0;
    for await (const chunk of await connection.stream(sql)) rows += chunk.rowCount;
    return rows;
  };

  test("ends a stream that fails in the middle as if it were complete", async () => {
    const own = await instance.connect();
    const sql =
      "SELECT CASE WHEN range = 5000000 THEN error('boom') ELSE range::VARCHAR END FROM range(10000000)";
    expect(await read(own, sql)).toBeLessThan(10_000_000);
    own.closeSync();
  });

  test("ends a stream that is interrupted as if it were complete", async () => {
    const own = await instance.connect();
    const result = await own.stream("FROM range(1000000)");
    await result.fetchChunk();
    own.interrupt();
    expect((await result.fetchChunk())?.rowCount).toBe(0);
    own.closeSync();
  });
});

describe("while other statements hold as many threads as they may", () => {
  /** The default of `UV_THREADPOOL_SIZE`. */
  const THREADS = 4;
  let endless: CancelableContext;
  let running: Promise<unknown>[];

  beforeEach(async () => {
    endless = withCancel(background());
    const connections = await Promise.all(
      Array.from({ length: THREADS }, () => instance.connect()),
    );
    running = connections.map(async (own) => {
      await failure(withContext(own).run(endless, ENDLESS));
      own.closeSync();
    });
    await computing();
    return async () => {
      endless.cancel();
      await Promise.all(running);
      await quiet();
    };
  });

  test.each([
    ["a query", (ctx: Context) => connection.run(ctx, "SELECT 1")],
    ["a stream", (ctx: Context) => connection.stream(ctx, "SELECT 1").next()],
    ["a prepared statement", (ctx: Context) => connection.prepare(ctx, "SELECT 1")],
  ])("%s stops at once, and the connection works afterwards", async (_name, start) => {
    using ctx = withCancel(withLedger(background()));
    const answer = failure(start(ctx));
    await until(() => working(ctx).length === 1);
    ctx.cancel();
    const canceled = performance.now();
    expect(await answer).toBe(ctx.err());
    expect(performance.now() - canceled).toBeLessThan(1_500);
    expect(await stopped(ctx)).toMatchObject([{ state: "stopped" }]);
    endless.cancel();
    expect(await select(connection, background(), "SELECT 42")).toEqual([[42]]);
  });

  test("a statement of a transaction stops at once, and the transaction is rolled back", async () => {
    using ctx = withCancel(withLedger(background()));
    const answer = failure(
      single.transaction(ctx, async (tx) => {
        const statement = tx.run(ctx, "CREATE TABLE never (n INT)");
        await until(() => working(ctx).some(({ what }) => what?.startsWith("CREATE")));
        ctx.cancel();
        await statement;
      }),
    );
    expect(await answer).toBe(ctx.err());
    const receipts = await stopped(ctx);
    expect(receipts.length).toBeGreaterThan(0);
    for (const receipt of receipts) expect(receipt).toMatchObject({ state: "stopped" });
    endless.cancel();
    const refused = (await failure(single.run(background(), "FROM never"))) as Error;
    expect(refused.message).toContain("Catalog Error");
  });
});

test("loops over more streams than there are threads run inside each other", async () => {
  const depths: number[] = [];
  const nest = async (depth: number): Promise<void> => {
    const own = await instance.connect();
    try {
      for await (const row of withContext(own).stream(background(), "SELECT 1")) {
        depths.push(depth);
        expect(row).toBeDefined();
        if (depth < 6) await nest(depth + 1);
      }
    } finally {
      own.closeSync();
    }
  };
  await nest(1);
  expect(depths).toEqual([1, 2, 3, 4, 5, 6]);
});

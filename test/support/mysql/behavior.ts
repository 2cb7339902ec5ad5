/** What the adapters of mysql2 and mariadb have in common, tested on a real MySQL and MariaDB. */
import { beforeEach, describe, expect, onTestFinished, test } from "vitest";
import {
  background,
  isDeadlineExceeded,
  sleep,
  stopped,
  withCancel,
  withLedger,
  withTimeout,
  type Context,
} from "../../../src/index.ts";
import { startProxy } from "../proxy.ts";
import type { Db, Row, TestDriver, TestPool } from "./driver.ts";
import {
  addressOf,
  mark,
  observer,
  sequence,
  until,
  urlAt,
  type Observer,
  type TestServer,
} from "./servers.ts";

/** Seconds. A SLEEP() of this length does not end while a test runs. */
const LONG = 60;

/** A join that computes for minutes. */
const CPU = "select count(*) as n from numbers a join numbers b on sqrt(a.seq * b.seq) < 0";

let server: TestServer;
let look: Observer;
let pool: TestPool;
let db: Db;
let table: string;

async function numbers(): Promise<unknown[]> {
  const [rows] = await look.query(`select n from ${table} order by n`);
  return (rows as Row[]).map((row) => row["n"]);
}

/** Waits until all connections are idle, and checks that none is inside a transaction. */
async function expectWhole(connections?: number): Promise<void> {
  await until(() => pool.waiting() === 0 && pool.idle() === pool.total());
  if (connections !== undefined) expect(pool.total()).toBe(connections);
  const [open] = await pool.query(server.inTransaction);
  expect(Number(open?.["n"])).toBe(0);
}

/** Resolves with what `work` rejects with. Fails the test if it resolves. */
async function failure(work: Promise<unknown>): Promise<unknown> {
  return await work.then(
    (value) => expect.fail(`resolved with ${JSON.stringify(value)}`),
    (error: unknown) => error,
  );
}

const startedOn = (text: string): Promise<void> =>
  until(async () => (await look.running(text)) === 1);

export function describeBehavior(driver: TestDriver): void {
  const title = `eightysix/${driver.name} on ${driver.server.title}`;
  driver.server.describe(title, () => {
    beforeEach(async () => {
      ({ server } = driver);
      look = await observer(server.url());
      pool = driver.pool();
      db = pool.db;
      table = `t${process.pid}_${Math.floor(performance.now() * 1000)}`;
      await look.query(`create table ${table} (n int primary key) engine=innodb`);
      onTestFinished(async () => {
        await look.query(`drop table ${table}`);
      });
    });

    describe("a statement", () => {
      statements(driver);
    });
    describe("a transaction", () => {
      transactions(driver);
    });
    describe("a stream", () => {
      streams(driver);
    });
    describe("the wait for a connection", () => {
      waits(driver);
    });
    describe("the connection for KILL QUERY", () => {
      control(driver);
    });
  });
}

function statements(driver: TestDriver): void {
  test("resolves with what the driver returns", async () => {
    const ctx = background();
    expect(await db.query(ctx, "select ? as a, ? as b", [1, "x"])).toMatchObject([
      { a: 1, b: "x" },
    ]);
    expect(await db.execute(ctx, "select ? as a", ["y"])).toMatchObject([{ a: "y" }]);
    expect(await db.query(ctx, { sql: "select 1 as a, 2 as b", rowsAsArray: true })).toMatchObject([
      [1, 2],
    ]);
    await expectWhole(1);
  });

  test.each([
    ["query that sleeps", (ctx: Context, m: string) => db.query(ctx, `select ${m} sleep(${LONG})`)],
    ["query that computes", (ctx: Context, m: string) => db.query(ctx, `${CPU} ${m}`)],
    [
      "query that sorts",
      (ctx: Context, m: string) =>
        db.query(
          ctx,
          `select a.seq ${m} from ${sequence(10_000, "a")}, ${sequence(10_000, "b")} order by rand() limit 1`,
        ),
    ],
    [
      "prepared statement",
      (ctx: Context, m: string) => db.execute(ctx, `select ${m} sleep(?)`, [LONG]),
    ],
    [
      "statement that writes",
      (ctx: Context, m: string) =>
        db.query(ctx, `insert into ${table} select ${m} seq + sleep(0.1) from numbers`),
    ],
  ] as const)("is stopped on the server when its context ends: a %s", async (_, run) => {
    using ctx = withCancel(withLedger(background()));
    const m = mark();
    const work = failure(run(ctx, m));
    await startedOn(m);
    ctx.cancel();
    expect(await work).toBe(ctx.err());
    expect(await look.running(m)).toBe(0);
    expect(await numbers()).toEqual([]);
    await expectWhole(1);
    const receipts = await stopped(ctx);
    expect(receipts.filter(({ what }) => what?.includes(m)).map(({ state }) => state)).toEqual([
      "stopped",
    ]);
  });

  test("that waits for a lock is stopped when its deadline passes", async () => {
    const ctx = background();
    await look.query("begin");
    await look.query(`insert into ${table} values (1)`);
    using short = withTimeout(ctx, 100);
    const error = await failure(db.query(short, `insert into ${table} values (1)`));
    expect(isDeadlineExceeded(error)).toBe(true);
    await look.query("rollback");
    await expectWhole(1);
  });

  test("takes no connection if its context is done already", async () => {
    using ctx = withCancel(background());
    ctx.cancel();
    expect(await failure(db.query(ctx, "select 1"))).toBe(ctx.err());
    expect(pool.waiting()).toBe(0);
    await expectWhole();
  });

  test("resolves with its result if it is faster than the stop", async () => {
    for (let i = 0; i < 50; i++) {
      using ctx = withCancel(background());
      const work = db.query(ctx, "select ? as i", [i]);
      setTimeout(() => ctx.cancel(), Math.random() * 2);
      const outcome = await work.catch((error: unknown) => error);
      if (ctx.err() === undefined || outcome !== ctx.err()) expect(outcome).toMatchObject([{ i }]);
    }
    await expectWhole();
  });

  test("rejects with the driver's error", async () => {
    const error = await failure(db.query(background(), "select * from no_such_table"));
    expect(error).toMatchObject({ errno: 1146, sqlState: "42S02" });
    await expectWhole(1);
  });

  test("rejects with the driver's error if another client kills it", async () => {
    using ctx = withCancel(background());
    const m = mark();
    const work = failure(db.query(ctx, `${CPU} ${m}`));
    await startedOn(m);
    const [rows] = await look.query(
      "select id from information_schema.processlist where locate(?, info) > 0 and id <> connection_id()",
      [m],
    );
    await look.query(`kill query ${String((rows as Row[])[0]?.["id"])}`);
    expect(await work).toMatchObject({ errno: 1317 });
    expect(ctx.err()).toBeUndefined();
    await expectWhole(1);
  });

  test("rejects with the driver's error if the user's own time limit ends it", async () => {
    using ctx = withTimeout(background(), 30_000);
    const error = await failure(
      db.connection(ctx, async (own) => {
        await own.query(ctx, server.setTimeLimit(50));
        await own.query(ctx, CPU);
      }),
    );
    expect(error).toMatchObject({ errno: server.timeLimitError });
  });

  test("that leaves a transaction open is rolled back before the next use of the connection", async () => {
    const ctx = background();
    await db.query(ctx, "start transaction");
    await expectWhole(1);
    await look.query(
      `create procedure p_${table}() begin start transaction; insert into ${table} values (1); select * from no_such_table; end`,
    );
    onTestFinished(async () => {
      await look.query(`drop procedure p_${table}`);
    });
    await failure(db.query(ctx, `call p_${table}()`));
    await expectWhole(1);
    expect(await numbers()).toEqual([]);
  });

  test("rejects wrong arguments with a message that says what to write", async () => {
    const ctx = background();
    await expect(db.query("select 1" as never, "")).rejects.toThrow(/query needs a Context/);
    await expect(db.query(ctx, 7 as never)).rejects.toThrow(/takes SQL or an options object/);
    await expect(db.query(ctx, "select 1", (() => 1) as never)).rejects.toThrow(/callback out/);
    await expect(db.execute(ctx, undefined as never)).rejects.toThrow(TypeError);
    await expectWhole();
  });

  test('closes its connection after a cancel with `onCancel: "destroy"`', async () => {
    const own = driver.pool({ onCancel: "destroy", max: 1 });
    const m = mark();
    const [before] = await own.db.query(background(), "select connection_id() as id");
    using ctx = withCancel(background());
    const work = failure(own.db.query(ctx, `select ${m} sleep(${LONG})`));
    await startedOn(m);
    ctx.cancel();
    expect(await work).toBe(ctx.err());
    const [after] = await own.db.query(background(), "select connection_id() as id");
    expect(after?.["id"]).not.toBe(before?.["id"]);
  });

  test("is stopped on the caller's single connection, which then runs the next statement", async () => {
    const own = await driver.connection();
    const [before] = await own.query("select connection_id() as id");
    using ctx = withCancel(background());
    const m = mark();
    const work = failure(own.db.query(ctx, `select ${m} sleep(${LONG})`));
    const after = own.db.query(background(), "select connection_id() as id");
    await startedOn(m);
    ctx.cancel();
    expect(await work).toBe(ctx.err());
    expect(await after).toEqual([before]);
  });
}

function transactions(driver: TestDriver): void {
  test("commits the changes of its function, and resolves with the function's result", async () => {
    const ctx = background();
    const result = await db.transaction(ctx, async (tx) => {
      await tx.query(ctx, `insert into ${table} values (?)`, [1]);
      await tx.execute(ctx, `insert into ${table} values (?)`, [2]);
      return (await tx.query(ctx, `select max(n) as n from ${table}`))[0]?.["n"];
    });
    expect(result).toBe(2);
    expect(await numbers()).toEqual([1, 2]);
    await expectWhole(1);
  });

  test("rolls back if its function throws, and rejects with the same error", async () => {
    const ctx = background();
    const mistake = new Error("mistake");
    const work = db.transaction(ctx, async (tx) => {
      await tx.query(ctx, `insert into ${table} values (1)`);
      throw mistake;
    });
    await expect(work).rejects.toBe(mistake);
    expect(await numbers()).toEqual([]);
    await expectWhole(1);
  });

  test("that is canceled during a statement stops it, rolls back, and keeps its connection", async () => {
    using ctx = withCancel(background());
    const m = mark();
    const work = failure(
      db.transaction(ctx, async (tx) => {
        await tx.query(ctx, `insert into ${table} values (1)`);
        await tx.query(ctx, `select ${m} sleep(${LONG})`);
      }),
    );
    await startedOn(m);
    ctx.cancel();
    expect(await work).toBe(ctx.err());
    expect(await look.running(m)).toBe(0);
    expect(await numbers()).toEqual([]);
    await expectWhole(1);
  });

  test("that is canceled between two statements commits nothing", async () => {
    using ctx = withCancel(background());
    const error = await failure(
      db.transaction(ctx, async (tx) => {
        await tx.query(ctx, `insert into ${table} values (1)`);
        ctx.cancel();
      }),
    );
    expect(error).toBe(ctx.err());
    expect(await numbers()).toEqual([]);
    await expectWhole(1);
  });

  test("goes on after the deadline of one statement has stopped that statement", async () => {
    const ctx = background();
    await db.transaction(ctx, async (tx) => {
      await tx.query(ctx, `insert into ${table} values (1)`);
      using short = withTimeout(ctx, 50);
      const error = await failure(tx.query(short, `select sleep(${LONG})`));
      expect(error).toBe(short.err());
      await tx.query(ctx, `insert into ${table} values (2)`);
    });
    expect(await numbers()).toEqual([1, 2]);
    await expectWhole(1);
  });

  test("goes on after a statement has failed, and keeps the earlier changes", async () => {
    const ctx = background();
    await db.transaction(ctx, async (tx) => {
      await tx.query(ctx, `insert into ${table} values (1)`);
      expect(await failure(tx.query(ctx, `insert into ${table} values (1)`))).toMatchObject({
        errno: 1062,
      });
      await tx.query(ctx, `insert into ${table} values (2)`);
    });
    expect(await numbers()).toEqual([1, 2]);
  });

  test.each(["in the transaction", "in a nested one"])(
    "commits nothing if its function catches a deadlock %s and goes on",
    async (where) => {
      const ctx = background();
      await look.query(`insert into ${table} values (1), (2)`);
      const other = await observer(server.url());
      const error = await failure(
        db.transaction(ctx, async (tx) => {
          await tx.query(ctx, `insert into ${table} values (10)`);
          await tx.query(ctx, `update ${table} set n = n where n = 1`);
          // Heavier, so that the other one is not the victim.
          await other.query("begin");
          await other.query(
            `insert into ${table} select seq from numbers where seq between 100 and 200`,
          );
          await other.query(`update ${table} set n = n where n = 2`);
          const m = mark();
          const theirs = other.query(`update ${table} set n = n where n = 1 ${m}`);
          await startedOn(m);
          const provoke = (inner: typeof tx): Promise<unknown> =>
            inner.query(ctx, `update ${table} set n = n where n = 2`);
          const dead = await failure(
            where === "in a nested one" ? tx.transaction(ctx, provoke) : provoke(tx),
          );
          expect(dead).toMatchObject({ errno: 1213 });
          await theirs;
          await other.query("rollback");
          await expect(tx.query(ctx, `insert into ${table} values (11)`)).rejects.toThrow(
            /has rolled this transaction back/,
          );
        }),
      );
      expect(error).toMatchObject({ code: "ERR_NOTHING_COMMITTED" });
      expect(await numbers()).toEqual([1, 2]);
      await expectWhole();
    },
  );

  test("accepts DDL, which commits it implicitly", async () => {
    const ctx = background();
    await db.transaction(ctx, async (tx) => {
      await tx.query(ctx, `insert into ${table} values (1)`);
      await tx.query(ctx, `alter table ${table} add column m int`);
      await failure(tx.query(ctx, "select * from no_such_table"));
      await tx.query(ctx, `insert into ${table} values (2, 2)`);
    });
    expect(await numbers()).toEqual([1, 2]);
    await expectWhole(1);
  });

  test("waits for statements that its function did not await", async () => {
    const ctx = background();
    await db.transaction(ctx, (tx) => {
      void tx.query(ctx, `insert into ${table} select 1 + sleep(0.05)`);
      void tx.query(ctx, `insert into ${table} select 2`);
    });
    expect(await numbers()).toEqual([1, 2]);
  });

  test("runs a nested transaction in a savepoint, and refuses outer statements meanwhile", async () => {
    const ctx = background();
    await db.transaction(ctx, async (tx) => {
      await tx.query(ctx, `insert into ${table} values (1)`);
      await tx.transaction(ctx, async (inner) => {
        await inner.query(ctx, `insert into ${table} values (2)`);
        await expect(tx.query(ctx, "select 1")).rejects.toThrow(/busy with a nested transaction/);
        const failing = inner.transaction(ctx, async (third) => {
          await third.query(ctx, `insert into ${table} values (3)`);
          await third.query(ctx, "select * from no_such_table");
        });
        expect(await failure(failing)).toMatchObject({ errno: 1146 });
        await inner.query(ctx, `insert into ${table} values (4)`);
      });
    });
    expect(await numbers()).toEqual([1, 2, 4]);
    await expectWhole(1);
  });

  test("keeps its other changes if a nested transaction is canceled", async () => {
    const ctx = background();
    await db.transaction(ctx, async (tx) => {
      await tx.query(ctx, `insert into ${table} values (1)`);
      using short = withTimeout(ctx, 100);
      const error = await failure(
        tx.transaction(short, async (inner) => {
          await inner.query(short, `insert into ${table} values (2)`);
          await inner.query(short, `select sleep(${LONG})`);
        }),
      );
      expect(error).toBe(short.err());
      await tx.query(ctx, `insert into ${table} values (3)`);
    });
    expect(await numbers()).toEqual([1, 3]);
    await expectWhole(1);
  });

  test("applies its options to itself alone, and rejects wrong ones", async () => {
    const ctx = background();
    const levelOf = async (tx: { query: Db["query"] }): Promise<unknown> => {
      await tx.query(ctx, `select * from ${table} for update`).catch(() => undefined);
      await tx.query(ctx, `select * from ${table}`);
      await sleep(ctx, 200); // the server updates that view every 100 ms
      const [row] = await tx.query(
        ctx,
        "select trx_isolation_level as level, trx_is_read_only as ro from information_schema.innodb_trx where trx_mysql_thread_id = connection_id()",
      );
      return row;
    };
    expect(await db.transaction(ctx, levelOf, { isolation: "serializable" })).toEqual({
      level: "SERIALIZABLE",
      ro: 0,
    });
    expect(await db.transaction(ctx, levelOf)).toEqual({ level: "REPEATABLE READ", ro: 0 });
    const error = await failure(
      db.transaction(ctx, (tx) => tx.query(ctx, `insert into ${table} values (1)`), {
        readOnly: true,
      }),
    );
    expect(error).toMatchObject({ errno: 1792 });
    const misspelt = { isolation: "snapshot" as "serializable" };
    await expect(db.transaction(ctx, () => 1, misspelt)).rejects.toThrow(/isolation is one of/);
    const unknown = { readonly: true } as object;
    await expect(db.transaction(ctx, () => 1, unknown)).rejects.toThrow(
      /unknown option "readonly"/,
    );
    await expectWhole();
  });

  test("waits for its turn on the caller's single connection", async () => {
    const own = await driver.connection();
    const ctx = background();
    await Promise.all(
      [1, 2, 3].map((n) =>
        own.db.transaction(ctx, async (tx) => {
          const [row] = await tx.query(ctx, `select count(*) as n from ${table}`);
          expect(row).toEqual({ n: n - 1 });
          await tx.query(ctx, `insert into ${table} values (?)`, [n]);
        }),
      ),
    );
    expect(await numbers()).toEqual([1, 2, 3]);
  });

  test("of `connection()` that is left open is rolled back before the next use of the connection", async () => {
    const ctx = background();
    await db.connection(ctx, async (own) => {
      await own.query(ctx, "create temporary table mine (n int)");
      await own.transaction(ctx, (tx) => tx.query(ctx, "insert into mine values (1)"));
      expect(await own.query(ctx, "select * from mine")).toEqual([{ n: 1 }]);
      await own.query(ctx, "begin");
      await own.query(ctx, `insert into ${table} values (1)`);
    });
    expect(await numbers()).toEqual([]);
    await expectWhole(1);
  });
}

function streams(driver: TestDriver): void {
  const rowsOf = (n: number): string => `select seq as n from ${sequence(n)}`;

  test("yields the rows of its query", async () => {
    const ctx = background();
    const seen: unknown[] = [];
    for await (const row of db.stream(ctx, `${rowsOf(1000)} where seq > ?`, [500])) seen.push(row);
    expect(seen).toHaveLength(500);
    expect(seen[499]).toEqual({ n: 1000 });
    await expectWhole(1);
  });

  test("reads no more rows than the loop asks for", async () => {
    const ctx = background();
    const text = "select repeat('x', 100000) as x from numbers"; // 10 GB
    const before = process.memoryUsage().rss;
    let n = 0;
    for await (const row of db.stream(ctx, text)) {
      expect(row["x"]).toHaveLength(100_000);
      if (++n === 300) break;
      await sleep(ctx, 1);
    }
    expect(process.memoryUsage().rss - before).toBeLessThan(300e6);
    await expectWhole(1);
  });

  test("is stopped and returns its connection when its loop is left", async () => {
    const ctx = background();
    const start = performance.now();
    const m = mark();
    let n = 0;
    for await (const _ of db.stream(ctx, `select ${m} a.seq from numbers a, numbers b`)) {
      if (++n === 7) break;
    }
    expect(await look.running(m)).toBe(0);
    await expectWhole(1);
    expect(performance.now() - start).toBeLessThan(5_000);
  });

  test.each(["while rows are awaited", "between rows", "while the loop does not read"])(
    "throws when its context ends %s",
    async (when) => {
      using ctx = withCancel(background());
      const m = mark();
      const text = `select ${m} seq as n, repeat('x', 10000) as x, if(seq > 2000, sleep(${LONG}), 0) as s from numbers`;
      const rows = db.stream(ctx, text);
      let n = 0;
      const read = async (): Promise<void> => {
        for await (const row of rows) {
          n = Number(row["n"]);
          if (when === "between rows" && n === 1500) ctx.cancel();
          if (when === "while the loop does not read" && n === 500) return;
        }
      };
      if (when === "while the loop does not read") {
        await rows.next();
        ctx.cancel();
        await until(() => pool.idle() === 1);
        expect(await failure(rows.next())).toBe(ctx.err());
      } else {
        const reading = failure(read());
        if (when === "while rows are awaited") {
          await until(() => n >= 1_800);
          ctx.cancel();
        }
        expect(await reading).toBe(ctx.err());
      }
      expect(await look.running(m)).toBe(0);
      await expectWhole(1);
    },
  );

  test("throws the server's error after the rows that came before it", async () => {
    const ctx = background();
    const seen: unknown[] = [];
    const text =
      "select o.seq as n, if(o.seq < 400, 1, (select i.seq from numbers i where i.seq < 3 and i.seq < o.seq)) as x from numbers o where o.seq <= 1000";
    const error = await failure(
      (async () => {
        for await (const row of db.stream(ctx, text)) seen.push(row["n"]);
      })(),
    );
    expect(error).toMatchObject({ errno: 1242 });
    expect(seen.length).toBeLessThan(400);
    expect(await failure(db.stream(ctx, "selec").next())).toMatchObject({ errno: 1064 });
    await expectWhole();
  });

  test("has the connection of its transaction to itself until its loop is left", async () => {
    const ctx = background();
    await db.transaction(ctx, async (tx) => {
      void tx.query(ctx, `insert into ${table} select seq from ${sequence(300)}`);
      let n = 0;
      for await (const _ of tx.stream(ctx, `select n from ${table}`)) {
        if (n++ === 0) {
          await expect(tx.query(ctx, "select 1")).rejects.toThrow(/busy with a stream/);
        }
        if (n === 250) break;
      }
      expect(n).toBe(250);
      await tx.query(ctx, `delete from ${table} where n > 1`);
    });
    expect(await numbers()).toEqual([1]);
    await expectWhole(1);
  });

  test("lets other statements on the caller's single connection wait", async () => {
    const own = await driver.connection();
    const ctx = background();
    const rows = own.db.stream(ctx, rowsOf(100_000));
    expect((await rows.next()).value).toEqual({ n: 1 });
    const after = own.db.query(ctx, "select 'later' as x");
    await rows.return();
    expect(await after).toEqual([{ x: "later" }]);
  });

  test("takes no connection until it is read, and rejects wrong arguments", async () => {
    const ctx = background();
    const before = pool.total();
    db.stream(ctx, "select 1");
    await sleep(ctx, 20);
    expect(pool.total()).toBe(before);
    expect(() => db.stream("select 1" as never, "")).toThrow(/stream needs a Context/);
    await expect(db.stream(ctx, 7 as never).next()).rejects.toThrow(TypeError);
    await expectWhole();
  });
}

function waits(driver: TestDriver): void {
  test("ends at once when its context ends, and the other waiters keep their order", async () => {
    const own = driver.pool({ max: 1 });
    const release = await own.take();
    using ctx = withCancel(background());
    const gone = Array.from({ length: 200 }, (_, i) =>
      failure(own.db.query(ctx, `insert into ${table} values (${i})`)),
    );
    const served: number[] = [];
    const stay = [1, 2, 3].map(async (n) => {
      await own.db.query(background(), "select 1");
      served.push(n);
    });
    await until(() => own.waiting() === 203);
    const start = performance.now();
    ctx.cancel();
    for (const error of await Promise.all(gone)) expect(error).toBe(ctx.err());
    expect(performance.now() - start).toBeLessThan(5_000);
    await release();
    await Promise.all(stay);
    expect(served).toEqual([1, 2, 3]);
    await until(() => own.waiting() === 0 && own.idle() === 1 && own.total() === 1);
    expect(await numbers()).toEqual([]);
  });

  test("of a transaction ends when its context ends", async () => {
    const own = driver.pool({ max: 1 });
    const release = await own.take();
    using ctx = withCancel(background());
    const work = failure(own.db.transaction(ctx, () => "never"));
    ctx.cancel();
    expect(await work).toBe(ctx.err());
    await release();
    await until(() => own.idle() === 1);
  });
}

function control(driver: TestDriver): void {
  test("is shared by all KILLs of a pool, and opened by the first", async () => {
    const proxy = await startProxy(addressOf(server));
    const own = driver.pool({ url: urlAt(server, proxy), max: 4 });
    using ctx = withCancel(background());
    const m = mark();
    const work = [1, 2, 3, 4].map(() => failure(own.db.query(ctx, `select ${m} sleep(${LONG})`)));
    await until(async () => (await look.running(m)) === 4);
    expect(proxy.links).toHaveLength(4);
    ctx.cancel();
    for (const error of await Promise.all(work)) expect(error).toBe(ctx.err());
    expect(proxy.links).toHaveLength(5);
  });

  test("does not delay the end of the pool", async () => {
    const own = driver.pool({ max: 1 });
    using ctx = withCancel(background());
    const m = mark();
    const work = failure(own.db.query(ctx, `select ${m} sleep(${LONG})`));
    await startedOn(m);
    ctx.cancel();
    await work;
    const start = performance.now();
    await own.end();
    expect(performance.now() - start).toBeLessThan(5_000);
  });
}

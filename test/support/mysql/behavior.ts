/** What the adapters of mysql2 and mariadb both do, on a real MariaDB. */
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
import { describeMariadb, mark, observer, until, type Observer } from "../mariadb.ts";
import type { Db, Row, TestDriver, TestPool } from "./driver.ts";

/** Never settles by itself while a test runs. */
const LONG = 60;

/** A join that computes for minutes. */
const CPU =
  "select count(*) as n from seq_1_to_100000 a join seq_1_to_100000 b on sqrt(a.seq * b.seq) < 0";

let look: Observer;
let pool: TestPool;
let db: Db;
let table: string;

async function numbers(): Promise<unknown[]> {
  const [rows] = await look.query(`select n from ${table} order by n`);
  return (rows as Row[]).map((row) => row["n"]);
}

/** All connections are back, none was lost, and none is inside a transaction. */
async function expectWhole(connections?: number): Promise<void> {
  await until(() => pool.waiting() === 0 && pool.idle() === pool.total());
  if (connections !== undefined) expect(pool.total()).toBe(connections);
  const [open] = await pool.query("select @@in_transaction as n");
  expect(Number(open?.["n"])).toBe(0);
}

/** Its rejection; fails if it resolves. */
async function failure(work: Promise<unknown>): Promise<unknown> {
  return await work.then(
    (value) => expect.fail(`resolved with ${JSON.stringify(value)}`),
    (error: unknown) => error,
  );
}

const startedOn = (text: string): Promise<void> =>
  until(async () => (await look.running(text)) === 1);

export function describeBehavior(driver: TestDriver): void {
  describeMariadb("on a real server", () => {
    beforeEach(async () => {
      look = await observer();
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
    describe("a deadline", () => {
      deadlines(driver);
    });
  });
}

function statements(driver: TestDriver): void {
  test("is answered as the driver answers it", async () => {
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
          `select a.seq ${m} from seq_1_to_10000 a, seq_1_to_10000 b order by rand() limit 1`,
        ),
    ],
    [
      "prepared statement",
      (ctx: Context, m: string) => db.execute(ctx, `select ${m} sleep(?)`, [LONG]),
    ],
    [
      "statement that writes",
      (ctx: Context, m: string) =>
        db.query(ctx, `insert into ${table} select ${m} seq + sleep(0.1) from seq_1_to_10000`),
    ],
  ] as const)("a %s ends on the server with its context", async (_, run) => {
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

  test("that waits for a lock ends with its deadline", async () => {
    const ctx = background();
    await look.query("begin");
    await look.query(`insert into ${table} values (1)`);
    using short = withTimeout(ctx, 100);
    const error = await failure(db.query(short, `insert into ${table} values (1)`));
    expect(isDeadlineExceeded(error)).toBe(true);
    await look.query("rollback");
    await expectWhole(1);
  });

  test("whose context is done takes no connection", async () => {
    using ctx = withCancel(background());
    ctx.cancel();
    expect(await failure(db.query(ctx, "select 1"))).toBe(ctx.err());
    expect(pool.waiting()).toBe(0);
    await expectWhole();
  });

  test("that was faster than the stop is answered", async () => {
    for (let i = 0; i < 50; i++) {
      using ctx = withCancel(background());
      const work = db.query(ctx, "select ? as i", [i]);
      setTimeout(() => ctx.cancel(), Math.random() * 2);
      const outcome = await work.catch((error: unknown) => error);
      if (ctx.err() === undefined || outcome !== ctx.err()) expect(outcome).toMatchObject([{ i }]);
    }
    await expectWhole();
  });

  test("passes the driver's errors untouched", async () => {
    using ctx = withTimeout(background(), 30_000);
    const error = await failure(db.query(ctx, "select * from no_such_table"));
    expect(error).toMatchObject({ errno: 1146, sqlState: "42S02" });
    expect(JSON.stringify(error) + (error as Error).message).not.toContain("max_statement_time");
    await expectWhole(1);
  });

  test("that somebody else kills fails with the driver's error", async () => {
    using ctx = withCancel(background());
    const m = mark();
    const work = failure(db.query(ctx, `select ${m} sleep(${LONG})`));
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

  test("that the user's own limit ends fails with the driver's error", async () => {
    using ctx = withTimeout(background(), 30_000);
    const error = await failure(
      db.connection(ctx, async (own) => {
        await own.query(ctx, "set max_statement_time = 0.05");
        await own.query(ctx, `select sleep(${LONG})`);
      }),
    );
    expect(error).toMatchObject({ errno: 1969 });
  });

  test("that leaves a transaction open does not leave it to the next", async () => {
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

  test("that gets what it cannot use says what to write", async () => {
    const ctx = background();
    await expect(db.query("select 1" as never, "")).rejects.toThrow(/query needs a Context/);
    await expect(db.query(ctx, 7 as never)).rejects.toThrow(/takes SQL or an options object/);
    await expect(db.query(ctx, "select 1", (() => 1) as never)).rejects.toThrow(/callback out/);
    await expect(db.execute(ctx, undefined as never)).rejects.toThrow(TypeError);
    await expectWhole();
  });

  test("with onCancel: destroy, the connection goes after a cancel", async () => {
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

  test("on one connection of the caller's: stopped, and the connection goes on", async () => {
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
  test("commits what its function did, and returns what it returns", async () => {
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

  test("rolls back when its function throws, and throws that", async () => {
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

  test("canceled in the middle of a statement: stopped, rolled back, the connection reused", async () => {
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

  test("canceled between two statements: the next is not sent, and nothing is committed", async () => {
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

  test("a statement's own deadline ends the statement; the transaction goes on", async () => {
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

  test("a statement that fails undoes itself alone, as the server has it", async () => {
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
    "a deadlock that is swallowed %s commits no half",
    async (where) => {
      const ctx = background();
      await look.query(`insert into ${table} values (1), (2)`);
      const other = await observer();
      const error = await failure(
        db.transaction(ctx, async (tx) => {
          await tx.query(ctx, `insert into ${table} values (10)`);
          await tx.query(ctx, `update ${table} set n = n where n = 1`);
          // Heavier, so that the other one is not the victim.
          await other.query("begin");
          await other.query(`insert into ${table} select seq from seq_100_to_200`);
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

  test("DDL commits it, as the server has it, and is no error", async () => {
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

  test("waits for what its function did not await", async () => {
    const ctx = background();
    await db.transaction(ctx, (tx) => {
      void tx.query(ctx, `insert into ${table} select 1 + sleep(0.05)`);
      void tx.query(ctx, `insert into ${table} select 2`);
    });
    expect(await numbers()).toEqual([1, 2]);
  });

  test("nested ones are savepoints, and siblings and outer statements keep out meanwhile", async () => {
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

  test("a nested one that is canceled leaves the outer one whole", async () => {
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

  test("says what it is to be, for itself alone", async () => {
    const ctx = background();
    const levelOf = async (tx: { query: Db["query"] }): Promise<unknown> => {
      await tx.query(ctx, `select * from ${table} for update`).catch(() => undefined);
      await tx.query(ctx, `select * from ${table}`);
      await sleep(ctx, 200); // that view is a copy, made every 100 ms
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
    await expect(db.transaction(ctx, () => 1, unknown)).rejects.toThrow(/no option readonly/);
    await expectWhole();
  });

  test("on one connection of the caller's, they take turns", async () => {
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

  test("a connection of one's own is whole for whoever comes next", async () => {
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
  const rowsOf = (n: number): string => `select seq as n from seq_1_to_${n}`;

  test("reads rows as they come", async () => {
    const ctx = background();
    const seen: unknown[] = [];
    for await (const row of db.stream(ctx, `${rowsOf(1000)} where seq > ?`, [500])) seen.push(row);
    expect(seen).toHaveLength(500);
    expect(seen[499]).toEqual({ n: 1000 });
    await expectWhole(1);
  });

  test("reads no more than the loop wants", async () => {
    const ctx = background();
    const text = `select repeat('x', 100000) as x from seq_1_to_100000`; // 10 GB
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

  test("whose loop is left gives the connection back at once", async () => {
    const ctx = background();
    const start = performance.now();
    const m = mark();
    for await (const row of db.stream(ctx, `select ${m} seq as n from seq_1_to_1000000000`)) {
      if (row["n"] === 7) break;
    }
    expect(await look.running(m)).toBe(0);
    await expectWhole(1);
    expect(performance.now() - start).toBeLessThan(5_000);
  });

  test.each(["while rows are awaited", "between rows", "while nobody reads"])(
    "ends with its context %s",
    async (when) => {
      using ctx = withCancel(background());
      const m = mark();
      const text = `select ${m} seq as n, repeat('x', 10000) as x, if(seq > 2000, sleep(${LONG}), 0) as s from seq_1_to_100000`;
      const rows = db.stream(ctx, text);
      let n = 0;
      const read = async (): Promise<void> => {
        for await (const row of rows) {
          n = Number(row["n"]);
          if (when === "between rows" && n === 1500) ctx.cancel();
          if (when === "while nobody reads" && n === 500) return;
        }
      };
      if (when === "while nobody reads") {
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

  test("passes the server's errors on, after the rows that came before", async () => {
    const ctx = background();
    const seen: unknown[] = [];
    const text =
      "select seq as n, if(seq < 400, 1, (select seq from seq_1_to_2 where seq < 10000 - 9599 * (seq_1_to_1000.seq > 399))) as x from seq_1_to_1000";
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

  test("has the connection of its transaction to itself, and gives it back to it", async () => {
    const ctx = background();
    await db.transaction(ctx, async (tx) => {
      void tx.query(ctx, `insert into ${table} select seq from seq_1_to_300`);
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

  test("on one connection of the caller's, others wait for it", async () => {
    const own = await driver.connection();
    const ctx = background();
    const rows = own.db.stream(ctx, rowsOf(100_000));
    expect((await rows.next()).value).toEqual({ n: 1 });
    const after = own.db.query(ctx, "select 'later' as x");
    await rows.return();
    expect(await after).toEqual([{ x: "later" }]);
  });

  test("takes no connection until it is read, and refuses what it cannot read", async () => {
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
  test("ends with the context, and others are served in their order", async () => {
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

  test("of a transaction ends with the context too", async () => {
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
  test("is one for all kills at once, and none for who never cancels", async () => {
    const own = driver.pool({ max: 4 });
    await Promise.all([1, 2, 3, 4].map(() => own.query("select sleep(0.05)")));
    const [before] = await Promise.all([look.connections()]);
    using ctx = withCancel(background());
    const m = mark();
    const work = [1, 2, 3, 4].map(() => failure(own.db.query(ctx, `select ${m} sleep(${LONG})`)));
    await until(async () => (await look.running(m)) === 4);
    ctx.cancel();
    for (const error of await Promise.all(work)) expect(error).toBe(ctx.err());
    const after = (await look.connections()).filter((id) => !before.includes(id));
    expect(after.length).toBeLessThanOrEqual(1); // other tests' may have gone meanwhile
  });

  test("does not keep the pool from ending", async () => {
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

function deadlines(driver: TestDriver): void {
  const limitIn = async (
    ctx: Context,
    on: { query: Db["query"] },
    text = "select @@max_statement_time as s",
  ): Promise<number> => Number((await on.query(ctx, text))[0]?.["s"]);

  test("is told to the server, with the stop timeout", async () => {
    const own = driver.pool({ stopTimeout: 500 });
    using ctx = withTimeout(background(), 10_000);
    const s = await limitIn(ctx, own.db);
    expect(s).toBeGreaterThan(5);
    expect(s).toBeLessThanOrEqual(10.5);
    expect(await own.db.transaction(ctx, (tx) => limitIn(ctx, tx))).toBeGreaterThan(5);
    for await (const row of own.db.stream(ctx, "select @@max_statement_time as s")) {
      expect(Number(row["s"])).toBeGreaterThan(5);
    }
    expect(await limitIn(background(), own.db)).toBe(0); // nothing stays behind
  });

  test("ends a statement that this process cannot stop any more", async () => {
    const own = driver.pool({ stopTimeout: 50 });
    using ctx = withTimeout(background(), 200);
    const m = mark();
    const work = failure(own.db.query(ctx, `select ${m} sleep(${LONG})`));
    await startedOn(m);
    const until = performance.now() + 600;
    while (performance.now() < until); // this process is busy
    expect(await look.running(m)).toBe(0);
    await work;
  });

  test("never lengthens what the user has set", async () => {
    using ctx = withTimeout(background(), 10_000);
    await db.connection(ctx, async (own) => {
      await own.query(ctx, "set max_statement_time = 1.5");
      expect(await limitIn(ctx, own)).toBe(1.5);
      await own.query(ctx, "set max_statement_time = 100");
      expect(await limitIn(ctx, own)).toBeLessThanOrEqual(13);
      await own.query(ctx, "set max_statement_time = 0");
    });
  });

  test("goes with statements of every kind, or is left out", async () => {
    using ctx = withTimeout(background(), 10_000);
    await db.query(ctx, `insert into ${table} values (?), (?)`, [1, 2]);
    await db.query(ctx, `update ${table} set n = 3 where n = 2`);
    await db.query(ctx, `replace into ${table} values (4)`);
    await db.query(ctx, `delete from ${table} where n = 4`);
    expect(await db.query(ctx, "with a as (select 1 as n) select n from a")).toEqual([{ n: 1 }]);
    expect(await db.query(ctx, "/* hint */ select 1 as n")).toEqual([{ n: 1 }]);
    expect(await db.query(ctx, " \n select 1 as n -- end")).toEqual([{ n: 1 }]);
    expect(await db.query(ctx, "(select 1 as n)")).toEqual([{ n: 1 }]);
    await db.query(ctx, "show tables");
    await db.query(ctx, `alter table ${table} add column m int`);
    await db.query(ctx, "set @a = 1");
    await db.query(ctx, `analyze table ${table}`);
    expect(await db.execute(ctx, "select @@max_statement_time as s")).toMatchObject([{ s: 0 }]);
    expect(await numbers()).toEqual([1, 3]);
    await expectWhole();
  });

  test("is not told with serverTimeout: false", async () => {
    const own = driver.pool({ serverTimeout: false });
    using ctx = withTimeout(background(), 10_000);
    expect(await limitIn(ctx, own.db)).toBe(0);
  });
}

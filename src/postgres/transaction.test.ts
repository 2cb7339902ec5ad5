import { setTimeout as delay } from "node:timers/promises";
import { beforeEach, describe, expect, expectTypeOf, onTestFinished, test } from "vitest";
import {
  background,
  sleep,
  stopped,
  withCancel,
  withLedger,
  withTimeout,
  type Context,
} from "../index.ts";
import { mark, observer, postgresUrl, until, type Observer } from "../../test/support/postgres.ts";
import { testSql, wholePool, type TestSql } from "../../test/support/postgresjs.ts";
import { startProxy } from "../../test/support/proxy.ts";
import { withContext, type ContextDatabase } from "./index.ts";

let look: Observer;
let sql: TestSql;
let db: ContextDatabase;
let name: string;

beforeEach(async () => {
  look = await observer();
  sql = testSql({ max: 2 });
  // The tests compare connections, and "auto" closes one if the machine is so slow that a stop is repeated.
  db = withContext(sql, { onCancel: "reuse" });
  name = `t${process.pid}_${Math.floor(performance.now() * 1000)}`;
  await look.query(`create table ${name} (n int)`);
  onTestFinished(async () => void (await look.query(`drop table ${name}`)));
});

async function numbers(): Promise<number[]> {
  const { rows } = await look.query<{ n: number }>(`select n from ${name} order by n`);
  return rows.map((row) => row.n);
}

const insert = (...all: number[]) => sql`insert into ${sql(name)} ${sql(all.map((n) => ({ n })))}`;
const slow = (m = "") => sql`select pg_sleep(${60}) ${sql.unsafe(m)}`;
const broken = () => sql`select 1/0`;

/** Expects that `work` rejects with the error of `ctx`, which ends meanwhile. */
async function rejectsWithItsError(work: Promise<unknown>, ctx: Context): Promise<void> {
  const outcome = await work.catch((error: unknown) => error);
  expect(ctx.err()).toBeDefined();
  expect(outcome).toBe(ctx.err());
}

describe("`transaction`", () => {
  test("commits the changes of its function and returns its result", async () => {
    const ctx = background();
    const result = await db.transaction(ctx, async (tx) => {
      await tx.query(ctx, insert(1));
      const [row] = await tx.query(ctx, sql<{ n: number }[]>`select n from ${sql(name)}`);
      return row!.n;
    });
    expectTypeOf(result).toEqualTypeOf<number>();
    expect(result).toBe(1);
    expect(await numbers()).toEqual([1]);
    await wholePool(sql);
  });

  test("rolls back when its function throws, and rejects with that error", async () => {
    const ctx = background();
    const mistake = new Error("mistake");
    const work = db.transaction(ctx, async (tx) => {
      await tx.query(ctx, insert(1));
      throw mistake;
    });
    await expect(work).rejects.toBe(mistake);
    expect(await numbers()).toEqual([]);
    await wholePool(sql);
  });

  test("stops the running statement, rolls back and keeps the connection when it is canceled", async () => {
    using ctx = withCancel(withLedger(background()));
    const before = await wholePool(sql);
    const m = mark();
    const work = db.transaction(ctx, async (tx) => {
      await tx.query(ctx, insert(1));
      await tx.query(ctx, slow(m));
    });
    await until(async () => (await look.running(m)) === 1);
    ctx.cancel();
    await rejectsWithItsError(work, ctx);
    await until(async () => (await look.running(m)) === 0);
    expect(await numbers()).toEqual([]);
    expect(await wholePool(sql)).toEqual(before);
    expect((await stopped(ctx)).map(({ kind, state }) => [kind, state])).toContainEqual([
      "postgres.query",
      "stopped",
    ]);
  });

  test("commits nothing when it is canceled between two statements", async () => {
    using ctx = withCancel(background());
    const work = db.transaction(ctx, async (tx) => {
      await tx.query(ctx, insert(1));
      ctx.cancel();
    });
    await rejectsWithItsError(work, ctx);
    expect(await numbers()).toEqual([]);
    await wholePool(sql);
  });

  test("runs its statements one at a time, and drops a waiting one when its context ends", async () => {
    const ctx = background();
    await db.transaction(ctx, async (tx) => {
      using leaving = withCancel(ctx);
      const first = tx.query(ctx, sql`select 1 as n, pg_sleep(0.1)`);
      const second = tx.query(leaving, insert(2)).catch((error: unknown) => error);
      const third = tx.query(ctx, insert(3));
      await sleep(ctx, 20);
      leaving.cancel();
      expect(await second).toBe(leaving.err());
      expect(await first).toMatchObject([{ n: 1 }]);
      await third;
    });
    expect(await numbers()).toEqual([3]);
    await wholePool(sql);
  });

  test("stops its statements when its own context ends, even if they were given another context", async () => {
    using ctx = withCancel(background());
    const m = mark();
    const work = db.transaction(ctx, (tx) => tx.query(background(), slow(m)));
    await until(async () => (await look.running(m)) === 1);
    ctx.cancel();
    await rejectsWithItsError(work, ctx);
    await wholePool(sql);
  });

  test("can continue after the deadline of a nested transaction has stopped a statement", async () => {
    const ctx = background();
    await db.transaction(ctx, async (tx) => {
      await tx.query(ctx, insert(1));
      using short = withTimeout(ctx, 50);
      const inner = tx.transaction(short, (inner) => inner.query(short, slow()));
      await expect(inner).rejects.toThrow("context deadline exceeded");
      await tx.query(ctx, insert(2));
    });
    expect(await numbers()).toEqual([1, 2]);
    await wholePool(sql);
  });

  test("rejects if the server answers its COMMIT with ROLLBACK", async () => {
    const ctx = background();
    const work = db.transaction(ctx, async (tx) => {
      await tx.query(ctx, insert(1));
      await tx.query(ctx, broken()).catch(() => undefined);
      await expect(tx.query(ctx, sql`select 1`)).rejects.toMatchObject({ code: "25P02" });
    });
    await expect(work).rejects.toMatchObject({ code: "ERR_NOTHING_COMMITTED" });
    expect(await numbers()).toEqual([]);
    await wholePool(sql);
  });

  test("rejects with the server's error if its COMMIT fails", async () => {
    const ctx = background();
    await look.query(`alter table ${name} add unique (n) deferrable initially deferred`);
    const work = db.transaction(ctx, (tx) => tx.query(ctx, insert(1, 1)));
    await expect(work).rejects.toMatchObject({ code: "23505" });
    await wholePool(sql);
  });

  test("waits for the statements that its function did not await", async () => {
    const ctx = background();
    await db.transaction(ctx, (tx) => {
      void tx.query(ctx, sql`insert into ${sql(name)} select 1 from pg_sleep(0.05)`);
    });
    expect(await numbers()).toEqual([1]);
  });

  test("stops the statements that are still running when its function throws", async () => {
    const ctx = background();
    const m = mark();
    const mistake = new Error("mistake");
    let left: Promise<unknown> = Promise.resolve();
    const work = db.transaction(ctx, async (tx) => {
      left = expect(tx.query(ctx, slow(m))).rejects.toThrow("context canceled");
      await until(async () => (await look.running(m)) === 1);
      throw mistake;
    });
    await expect(work).rejects.toBe(mistake);
    await left;
    await until(async () => (await look.running(m)) === 0);
    await wholePool(sql);
  });

  test("makes a nested transaction a savepoint, and rejects statements of the outer one meanwhile", async () => {
    const ctx = background();
    await db.transaction(ctx, async (tx) => {
      await tx.query(ctx, insert(1));
      await tx.transaction(ctx, async (inner) => {
        await inner.query(ctx, insert(2));
        await expect(tx.query(ctx, sql`select 1`)).rejects.toThrow(
          /busy with a nested transaction/,
        );
        const failing = inner.transaction(ctx, async (third) => {
          await third.query(ctx, insert(3));
          await third.query(ctx, broken());
        });
        await expect(failing).rejects.toMatchObject({ code: "22012" });
        await inner.query(ctx, insert(4));
      });
    });
    expect(await numbers()).toEqual([1, 2, 4]);
    await wholePool(sql);
  });

  test("begins with the isolation, access mode and deferrability of its options", async () => {
    const ctx = background();
    const settings = sql`select current_setting('transaction_isolation') as isolation,
      current_setting('transaction_read_only') as read_only,
      current_setting('transaction_deferrable') as deferrable`;
    const options = { isolation: "serializable", readOnly: true, deferrable: true } as const;
    const said = await db.transaction(ctx, (tx) => tx.query(ctx, settings), options);
    expect(said).toEqual([{ isolation: "serializable", read_only: "on", deferrable: "on" }]);
    const misspelt = { isolation: "snapshot" as "serializable" };
    await expect(db.transaction(ctx, () => 1, misspelt)).rejects.toThrow(/isolation is one of/);
    await wholePool(sql);
  });

  test("sets statement_timeout from its deadline, for the transaction only", async () => {
    const show = sql<{ t: string }[]>`select current_setting('statement_timeout') as t`;
    const db = withContext(sql, { serverTimeout: true });
    using ctx = withTimeout(background(), 60_000);
    const [inside] = await db.transaction(ctx, (tx) => tx.query(ctx, show));
    expect(Number.parseInt(inside!.t)).toBeGreaterThan(55_000);
    expect(Number.parseInt(inside!.t)).toBeLessThanOrEqual(62_000);
    expect(await db.transaction(background(), (tx) => tx.query(ctx, show))).toEqual([{ t: "0" }]);
    expect(await db.query(ctx, show)).toEqual([{ t: "0" }]);
    const without = withContext(sql);
    expect(await without.transaction(ctx, (tx) => tx.query(ctx, show))).toEqual([{ t: "0" }]);
    const early = withContext(sql, { serverTimeout: true, stopTimeout: -57_000 });
    using fresh = withTimeout(background(), 60_000);
    const ended = early.transaction(fresh, (tx) => tx.query(fresh, slow()));
    await expect(ended).rejects.toMatchObject({ code: "57014" });
  });
});

describe("`connection`", () => {
  test("gives its function one connection, and rolls back what the function left open", async () => {
    const one = testSql({ max: 1 });
    const ctx = background();
    const pid = await withContext(one).connection(ctx, async (own) => {
      await own.query(ctx, one`create temp table mine (n int)`);
      await own.transaction(ctx, (tx) => tx.query(ctx, one`insert into mine values (1)`));
      await own.query(ctx, one`begin`);
      await own.query(ctx, one`insert into mine values (2)`);
      const [row] = await own.query(ctx, one<{ pid: number }[]>`select pg_backend_pid() as pid`);
      return row!.pid;
    });
    expect(await wholePool(one)).toEqual([pid]);
    expect(await one`select n from mine`).toEqual([{ n: 1 }]); // the open transaction was rolled back
  });

  test("rolls back a failed transaction that its function left open", async () => {
    const ctx = background();
    const work = db.connection(ctx, async (own) => {
      await own.query(ctx, sql`begin`);
      await own.query(ctx, broken());
    });
    await expect(work).rejects.toMatchObject({ code: "22012" });
    await wholePool(sql);
  });

  test("stops the running statement on the server when its context ends", async () => {
    using ctx = withCancel(background());
    const m = mark();
    const work = db.connection(ctx, (own) => own.query(ctx, slow(m)));
    await until(async () => (await look.running(m)) === 1);
    ctx.cancel();
    await rejectsWithItsError(work, ctx);
    await wholePool(sql);
  });
});

describe("`stream`", () => {
  test("reads rows while they arrive, parsed by the driver", async () => {
    const ctx = background();
    const query = sql<
      { n: number; at: Date }[]
    >`select g as n, now() as at from generate_series(1, 250) g`;
    const rows: { n: number; at: Date }[] = [];
    for await (const row of db.stream(ctx, query)) rows.push(row);
    expect(rows).toHaveLength(250);
    expect(rows[249]).toEqual({ n: 250, at: expect.any(Date) as Date });
    const arrays: unknown[] = [];
    const values = sql`select ${7}::int, g from generate_series(1, 4) g`.values();
    for await (const row of db.stream(ctx, values, { rows: 2 })) arrays.push(row);
    expect(arrays).toEqual([1, 2, 3, 4].map((g) => [7, g]));
    for await (const row of db.stream(ctx, sql`select 1 where false`)) arrays.push(row);
    for await (const row of db.stream(ctx, insert(1, 2))) arrays.push(row);
    expect(arrays).toHaveLength(4);
    expect(await numbers()).toEqual([1, 2]);
    await wholePool(sql);
  });

  test("fetches no more rows than its loop reads, rounded up to a whole fetch", async () => {
    const ctx = background();
    await look.query(`create sequence s_${name}`);
    onTestFinished(async () => void (await look.query(`drop sequence s_${name}`)));
    const before = await wholePool(sql);
    const query = sql<
      { n: string }[]
    >`select nextval(${`s_${name}`}) as n from generate_series(1, 100000)`;
    for await (const row of db.stream(ctx, query, { rows: 10 })) if (row.n === "15") break;
    expect(await wholePool(sql)).toEqual(before);
    const { rows } = await look.query(`select last_value::int as n from s_${name}`);
    expect(rows).toEqual([{ n: 20 }]);
  });

  test.each(["while rows are fetched", "between rows"])(
    "stops on the server when its context ends %s",
    async (when) => {
      using ctx = withCancel(background());
      const before = await wholePool(sql);
      const m = mark();
      const seen: number[] = [];
      const query = sql<{ n: number }[]>`select g as n, case when g > 200 then pg_sleep(60) end
        from generate_series(1, 1000) g ${sql.unsafe(m)}`;
      const read = async (): Promise<void> => {
        for await (const row of db.stream(ctx, query)) {
          seen.push(row.n);
          if (when === "between rows" && row.n === 150) ctx.cancel();
        }
      };
      const reading = read();
      if (when === "while rows are fetched") {
        await until(() => seen.length === 200);
        await until(async () => (await look.running(m)) === 1);
        ctx.cancel();
      }
      await rejectsWithItsError(reading, ctx);
      await until(async () => (await look.running(m)) === 0);
      expect(seen.length).toBe(when === "between rows" ? 150 : 200);
      expect(await wholePool(sql)).toEqual(before);
    },
  );

  test("sends no cancel request if its loop is left between rows when its context ends", async () => {
    const { hostname, port } = new URL(postgresUrl());
    let isCanceled = false;
    const proxy = await startProxy(
      { host: hostname, port: Number(port) },
      // The server's answer to the end of the query arrives after the stop has begun.
      { onChunk: (_, from) => (isCanceled && from === "server" ? delay(150) : undefined) },
    );
    const sql = testSql({ max: 1 }, postgresUrl(proxy));
    const db = withContext(sql);
    using ctx = withCancel(background());
    const before = await wholePool(sql);
    const read = async (): Promise<void> => {
      for await (const _ of db.stream(ctx, sql`select generate_series(1, 1000)`)) {
        isCanceled = true;
        ctx.cancel();
      }
    };
    await rejectsWithItsError(read(), ctx);
    expect(await wholePool(sql)).toEqual(before);
    expect(proxy.links).toHaveLength(1);
  });

  test("stops on the server when its context ends and its rows are not being read", async () => {
    using ctx = withCancel(background());
    const rows = db.stream(ctx, sql`select generate_series(1, 1000)`);
    await rows.next();
    ctx.cancel();
    await wholePool(sql);
    await expect(rows.next()).rejects.toBe(ctx.err());
    await wholePool(sql);
  });

  test("of a text without values fetches its rows in batches, and an error in it leaves the connection in step", async () => {
    const sql = testSql({ max: 1 });
    const db = withContext(sql);
    const ctx = background();
    const text = "select 1 / (3 - g) as n from generate_series(1, 9) g";
    const seen: number[] = [];
    const read = async (): Promise<void> => {
      for await (const row of db.stream(ctx, sql.unsafe<{ n: number }[]>(text), { rows: 2 })) {
        seen.push(row.n);
      }
    };
    await expect(read()).rejects.toMatchObject({ code: "22012" });
    expect(seen).toEqual([0, 1]); // the first batch, because the second one fails
    expect(await db.query(ctx, sql`select 3 as i`)).toEqual([{ i: 3 }]);
    expect(await sql`select 4 as i`).toEqual([{ i: 4 }]);
  });

  test("yields the rows that precede an error of the server, and throws the error", async () => {
    const ctx = background();
    const seen: unknown[] = [];
    const query = sql`select 1 / (150 - g) as n from generate_series(1, 1000) g`;
    const read = async (): Promise<void> => {
      for await (const row of db.stream(ctx, query)) seen.push(row);
    };
    await expect(read()).rejects.toMatchObject({ code: "22012" });
    expect(seen.length).toBeGreaterThanOrEqual(100); // the driver drops the batch in which the error occurred
    await expect(db.stream(ctx, sql`selec`).next()).rejects.toMatchObject({ code: "42601" });
    await wholePool(sql);
  });

  test("keeps other statements of its transaction off the connection until its loop ends", async () => {
    const ctx = background();
    await db.transaction(ctx, async (tx) => {
      await tx.query(ctx, sql`insert into ${sql(name)} select generate_series(1, 300)`);
      let n = 0;
      for await (const _ of tx.stream(ctx, sql`select n from ${sql(name)}`)) {
        if (n++ === 0) await expect(tx.query(ctx, broken())).rejects.toThrow(/busy with a stream/);
        if (n === 250) break;
      }
      await tx.query(ctx, sql`delete from ${sql(name)} where n > 1`);
    });
    expect(await numbers()).toEqual([1]);
    await wholePool(sql);
  });

  test("takes no connection before its first row is read", async () => {
    const sent: string[] = [];
    const other = testSql({ debug: (_, text) => sent.push(text) });
    withContext(other).stream(background(), other`select 1`);
    await sleep(background(), 20);
    expect(sent).toEqual([]);
  });
});

test("a transaction can go on after a query whose value the driver cannot send", async () => {
  const sql = testSql({ max: 1 });
  const db = withContext(sql);
  const result = await db.transaction(background(), async (tx) => {
    const wrong = tx.query(background(), sql`select ${5}::bytea`);
    await expect(wrong).rejects.toMatchObject({ code: "ERR_INVALID_ARG_TYPE" });
    return await tx.query(background(), sql`select 1 as n`);
  });
  expect(result).toEqual([{ n: 1 }]);
  await wholePool(sql);
});

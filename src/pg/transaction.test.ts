import { setTimeout as delay } from "node:timers/promises";
import type pg from "pg";
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
import { withContext } from "./index.ts";

let look: Observer;
let pool: pg.Pool;
let table: string;

beforeEach(async () => {
  look = await observer();
  pool = testPool({ max: 2 });
  table = `t${process.pid}_${Math.floor(performance.now() * 1000)}`;
  await look.query(`create table ${table} (n int)`);
  onTestFinished(async () => {
    await look.query(`drop table ${table}`);
  });
});

async function numbers(): Promise<number[]> {
  const { rows } = await look.query<{ n: number }>(`select n from ${table} order by n`);
  return rows.map((row) => row.n);
}

/** Expects that all connections are back, that none was lost, and that none is inside a transaction. */
async function expectWhole(connections?: number): Promise<void> {
  await until(() => pool.waitingCount === 0 && pool.idleCount === pool.totalCount);
  if (connections !== undefined) expect(pool.totalCount).toBe(connections);
  const { rows } = await pool.query<{ same: boolean }>(
    "select now() = statement_timestamp() as same, pg_sleep(0.001)",
  );
  expect(rows).toHaveLength(1);
}

/** Expects that `ctx` ends while `work` runs, and that `work` rejects with its error. */
async function rejectsWithItsError(work: Promise<unknown>, ctx: Context): Promise<void> {
  const outcome = await work.catch((error: unknown) => error);
  expect(ctx.err()).toBeDefined();
  expect(outcome).toBe(ctx.err());
}

describe("a transaction", () => {
  test("commits, and resolves with what its function returns", async () => {
    const ctx = background();
    const result = await withContext(pool).transaction(ctx, async (tx) => {
      await tx.query(ctx, `insert into ${table} values ($1)`, [1]);
      const { rows } = await tx.query<{ n: number }>(ctx, `select n from ${table}`);
      return rows[0]!.n;
    });
    expectTypeOf(result).toEqualTypeOf<number>();
    expect(result).toBe(1);
    expect(await numbers()).toEqual([1]);
    await expectWhole(1);
  });

  test("rolls back when its function throws, and rejects with the same error", async () => {
    const ctx = background();
    const mistake = new Error("mistake");
    const work = withContext(pool).transaction(ctx, async (tx) => {
      await tx.query(ctx, `insert into ${table} values (1)`);
      throw mistake;
    });
    await expect(work).rejects.toBe(mistake);
    expect(await numbers()).toEqual([]);
    await expectWhole(1);
  });

  test("that is canceled during a statement stops it, rolls back, and returns its connection", async () => {
    using ctx = withCancel(withLedger(background()));
    const m = mark();
    const work = withContext(pool).transaction(ctx, async (tx) => {
      await tx.query(ctx, `insert into ${table} values (1)`);
      await tx.query(ctx, `select ${m} pg_sleep(60)`);
    });
    await until(async () => (await look.running(m)) === 1);
    ctx.cancel();
    await expect(work).rejects.toBe(ctx.err());
    expect(await look.running(m)).toBe(0);
    expect(await numbers()).toEqual([]);
    await expectWhole(1);
    const receipts = await stopped(ctx);
    expect(receipts.map(({ what, state }) => [what, state])).toContainEqual([
      `select ${m} pg_sleep(60)`,
      "stopped",
    ]);
  });

  test("that is canceled after its last statement commits nothing", async () => {
    using ctx = withCancel(background());
    const work = withContext(pool).transaction(ctx, async (tx) => {
      await tx.query(ctx, `insert into ${table} values (1)`);
      ctx.cancel();
    });
    await rejectsWithItsError(work, ctx);
    expect(await numbers()).toEqual([]);
    await expectWhole(1);
  });

  test("that is canceled while it waits for a connection rejects, and leaves the pool whole", async () => {
    const db = withContext(pool);
    const held = await Promise.all([pool.connect(), pool.connect()]);
    using ctx = withCancel(background());
    const work = db.transaction(ctx, () => "never");
    ctx.cancel();
    await expect(work).rejects.toBe(ctx.err());
    for (const client of held) client.release();
    await expectWhole(2);
  });

  test("stops its statements when its own context ends, whichever context they were given", async () => {
    using ctx = withCancel(background());
    const m = mark();
    const work = withContext(pool).transaction(ctx, (tx) =>
      tx.query(background(), `select ${m} pg_sleep(60)`),
    );
    await until(async () => (await look.running(m)) === 1);
    ctx.cancel();
    await expect(work).rejects.toBe(ctx.err());
    await expectWhole(1);
  });

  test("can continue after a nested transaction has exceeded its own deadline", async () => {
    const ctx = background();
    await withContext(pool).transaction(ctx, async (tx) => {
      await tx.query(ctx, `insert into ${table} values (1)`);
      using short = withTimeout(ctx, 50);
      await expect(
        tx.transaction(short, (inner) => inner.query(short, "select pg_sleep(60)")),
      ).rejects.toThrow("context deadline exceeded");
      await tx.query(ctx, `insert into ${table} values (2)`);
    });
    expect(await numbers()).toEqual([1, 2]);
    await expectWhole(1);
  });

  test("rejects with ERR_NOTHING_COMMITTED when the server answers COMMIT with ROLLBACK", async () => {
    const ctx = background();
    const work = withContext(pool).transaction(ctx, async (tx) => {
      await tx.query(ctx, `insert into ${table} values (1)`);
      await tx.query(ctx, "select 1/0").catch(() => undefined);
    });
    await expect(work).rejects.toMatchObject({ code: "ERR_NOTHING_COMMITTED" });
    expect(await numbers()).toEqual([]);
    await expectWhole(1);
  });

  test("rejects with the server's error when its COMMIT fails", async () => {
    const ctx = background();
    await look.query(`alter table ${table} add unique (n) deferrable initially deferred`);
    const work = withContext(pool).transaction(ctx, (tx) =>
      tx.query(ctx, `insert into ${table} values (1), (1)`),
    );
    await expect(work).rejects.toMatchObject({ code: "23505" });
    await expectWhole(1);
  });

  test("waits before its COMMIT for statements that its function did not await", async () => {
    const ctx = background();
    await withContext(pool).transaction(ctx, (tx) => {
      void tx.query(ctx, `insert into ${table} select 1 from pg_sleep(0.05)`);
    });
    expect(await numbers()).toEqual([1]);
  });

  test("stops the statements that are still running when its function throws", async () => {
    const ctx = background();
    const m = mark();
    const mistake = new Error("mistake");
    let left: Promise<unknown> = Promise.resolve();
    const work = withContext(pool).transaction(ctx, async (tx) => {
      left = expect(tx.query(ctx, `select ${m} pg_sleep(60)`)).rejects.toThrow("context canceled");
      await until(async () => (await look.running(m)) === 1);
      throw mistake;
    });
    await expect(work).rejects.toBe(mistake);
    await left;
    expect(await look.running(m)).toBe(0);
    await expectWhole(1);
  });

  test("refuses statements after its end", async () => {
    const ctx = background();
    const db = withContext(pool);
    const tx = await db.transaction(ctx, (tx) => tx);
    await expect(tx.query(ctx, "select 1")).rejects.toThrow(/the transaction has ended; await/);
  });

  test("runs a nested transaction as a savepoint, and refuses outer statements meanwhile", async () => {
    const ctx = background();
    await withContext(pool).transaction(ctx, async (tx) => {
      await tx.query(ctx, `insert into ${table} values (1)`);
      await tx.transaction(ctx, async (inner) => {
        await inner.query(ctx, `insert into ${table} values (2)`);
        await expect(tx.query(ctx, "select 1")).rejects.toThrow(/busy with a nested transaction/);
        const failing = inner.transaction(ctx, async (third) => {
          await third.query(ctx, `insert into ${table} values (3)`);
          await third.query(ctx, "select 1/0");
        });
        await expect(failing).rejects.toMatchObject({ code: "22012" });
        await inner.query(ctx, `insert into ${table} values (4)`);
      });
    });
    expect(await numbers()).toEqual([1, 2, 4]);
    await expectWhole(1);
  });

  test("has the isolation level and the modes of its options, and refuses unknown options", async () => {
    const ctx = background();
    const db = withContext(pool);
    const level = await db.transaction(
      ctx,
      async (tx) => {
        const { rows } = await tx.query<Record<string, string>>(
          ctx,
          `select current_setting('transaction_isolation') as isolation,
                  current_setting('transaction_read_only') as read_only,
                  current_setting('transaction_deferrable') as deferrable`,
        );
        return rows[0];
      },
      { isolation: "serializable", readOnly: true, deferrable: true },
    );
    expect(level).toEqual({ isolation: "serializable", read_only: "on", deferrable: "on" });
    const misspelt = { isolation: "snapshot" as "serializable" };
    await expect(db.transaction(ctx, () => 1, misspelt)).rejects.toThrow(/isolation is one of/);
    const unknown = { readonly: true } as object;
    await expect(db.transaction(ctx, () => 1, unknown)).rejects.toThrow(
      /unknown option "readonly"/,
    );
    await expectWhole(1);
  });

  test("on the caller's own client waits for the transactions before it", async () => {
    const client = await testClient();
    const db = withContext(client);
    const ctx = background();
    await Promise.all(
      [1, 2, 3].map((n) =>
        db.transaction(ctx, async (tx) => {
          const { rows } = await tx.query(ctx, `select count(*)::int as n from ${table}`);
          expect(rows[0]).toEqual({ n: n - 1 });
          await tx.query(ctx, `insert into ${table} values ($1)`, [n]);
        }),
      ),
    );
    expect(await numbers()).toEqual([1, 2, 3]);
  });
});

describe("a connection", () => {
  test("keeps its temporary tables, and rolls back a transaction that its function left open", async () => {
    const ctx = background();
    const db = withContext(pool);
    const pid = await db.connection(ctx, async (own) => {
      await own.query(ctx, "create temp table mine (n int)");
      await own.transaction(ctx, (tx) => tx.query(ctx, "insert into mine values (1)"));
      await own.query(ctx, "begin");
      await own.query(ctx, "insert into mine values (2)");
      const { rows } = await own.query<{ pid: number }>(ctx, "select pg_backend_pid() as pid");
      return rows[0]!.pid;
    });
    await expectWhole(1);
    const { rows } = await pool.query("select pg_backend_pid() as pid, n from mine");
    expect(rows).toEqual([{ pid, n: 1 }]); // the open transaction was rolled back
  });

  test("stops its query when its context ends, and is closed", async () => {
    using ctx = withCancel(background());
    const m = mark();
    const work = withContext(pool).connection(ctx, (own) =>
      own.query(ctx, `select ${m} pg_sleep(60)`),
    );
    await until(async () => (await look.running(m)) === 1);
    ctx.cancel();
    await expect(work).rejects.toBe(ctx.err());
    await expectWhole(0);
  });
});

describe("a stream", () => {
  test("yields every row, parsed by the driver", async () => {
    const ctx = background();
    const rows: unknown[] = [];
    const db = withContext(pool);
    for await (const row of db.stream(
      ctx,
      "select g as n, now() as at from generate_series(1, 250) g",
    ))
      rows.push(row);
    expect(rows).toHaveLength(250);
    expect(rows[249]).toEqual({ n: 250, at: expect.any(Date) as Date });
    const arrays: unknown[] = [];
    const config = {
      text: "select $1::int, g from generate_series(1, 3) g",
      rowMode: "array",
    } as const;
    for await (const row of db.stream<[number, number]>(ctx, { ...config, rows: 2 }, [7]))
      arrays.push(row);
    expect(arrays).toEqual([
      [7, 1],
      [7, 2],
      [7, 3],
    ]);
    await expectWhole(1);
  });

  test("fetches no more batches than its loop reads", async () => {
    const ctx = background();
    await look.query(`create sequence s_${table}`);
    onTestFinished(async () => void (await look.query(`drop sequence s_${table}`)));
    for await (const row of withContext(pool).stream<{ n: string }>(ctx, {
      text: `select nextval('s_${table}') as n from generate_series(1, 100000)`,
      rows: 10,
    })) {
      if (row.n === "15") break;
    }
    await expectWhole(1);
    const { rows } = await look.query(`select last_value::int as n from s_${table}`);
    expect(rows).toEqual([{ n: 20 }]);
  });

  test.each(["while rows are fetched", "between rows"])(
    "throws ctx.err() when its context ends %s",
    async (when) => {
      using ctx = withCancel(background());
      const m = mark();
      const seen: number[] = [];
      const read = async (): Promise<void> => {
        const text = `select ${m} g as n, case when g > 200 then pg_sleep(60) end from generate_series(1, 1000) g`;
        for await (const row of withContext(pool).stream<{ n: number }>(ctx, text)) {
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
      expect(await look.running(m)).toBe(0);
      expect(seen.length).toBe(when === "between rows" ? 150 : 200);
      await expectWhole(1);
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
    pool = testPool({ connectionString: postgresUrl(proxy), max: 1 });
    using ctx = withCancel(background());
    const read = async (): Promise<void> => {
      for await (const _ of withContext(pool).stream(ctx, "select generate_series(1, 1000)")) {
        isCanceled = true;
        ctx.cancel();
      }
    };
    await rejectsWithItsError(read(), ctx);
    await expectWhole(1);
    expect(proxy.links).toHaveLength(1);
  });

  test("returns its connection when its context ends although its loop reads nothing", async () => {
    using ctx = withCancel(background());
    const rows = withContext(pool).stream(ctx, "select generate_series(1, 1000)");
    await rows.next();
    ctx.cancel();
    await until(() => pool.idleCount === 1);
    await expect(rows.next()).rejects.toBe(ctx.err());
    await expectWhole(1);
  });

  test("throws ctx.err() if its context ends between two batches, and does not seem complete", async () => {
    using ctx = withCancel(background());
    const config = { text: "select generate_series(1, 1000) as n", rows: 2 };
    const rows = withContext(pool).stream<{ n: number }>(ctx, config);
    expect((await rows.next()).value).toEqual({ n: 1 });
    expect((await rows.next()).value).toEqual({ n: 2 });
    ctx.cancel();
    await until(() => pool.idleCount === 1);
    await expect(rows.next()).rejects.toBe(ctx.err());
    await expectWhole(1);
  });

  /** Returns the query that a client runs. pg before 8.17 keeps it in `activeQuery`. */
  const activeQueryOf = (client: unknown): { _result: { rows: unknown[] } } => {
    const { _activeQuery, activeQuery } = client as Record<string, never>;
    return (_activeQuery ?? activeQuery) as never;
  };

  test("keeps no rows that its loop has read", async () => {
    const kept: unknown[] = [];
    let client: unknown;
    pool.on("acquire", (acquired) => (client = acquired));
    const config = { text: "select generate_series(1, 50) as n", rows: 10 };
    for await (const { n } of withContext(pool).stream<{ n: number }>(background(), config)) {
      if (n !== 45) continue;
      // pg collects the rows of a query with a callback in here.
      const { _result } = activeQueryOf(client);
      kept.push(..._result.rows);
    }
    expect(client).toBeDefined();
    expect(kept).toEqual([]);
  });

  test("throws the server's error after the rows that came before it", async () => {
    const ctx = background();
    const seen: unknown[] = [];
    const read = async (): Promise<void> => {
      const text = "select 1 / (150 - g) as n from generate_series(1, 1000) g";
      for await (const row of withContext(pool).stream(ctx, text)) seen.push(row);
    };
    await expect(read()).rejects.toMatchObject({ code: "22012" });
    expect(seen).toHaveLength(149);
    await expect(withContext(pool).stream(ctx, "selec").next()).rejects.toMatchObject({
      code: "42601",
    });
    await expectWhole(1);
  });

  test("inside a transaction has the connection to itself until it ends", async () => {
    const ctx = background();
    await withContext(pool).transaction(ctx, async (tx) => {
      await tx.query(ctx, `insert into ${table} select generate_series(1, 300)`);
      let n = 0;
      for await (const _ of tx.stream(ctx, `select n from ${table}`)) {
        if (n++ === 0) {
          await expect(tx.query(ctx, "select 1")).rejects.toThrow(/busy with a stream/);
        }
        if (n === 250) break;
      }
      await tx.query(ctx, `delete from ${table} where n > 1`);
    });
    expect(await numbers()).toEqual([1]);
    await expectWhole(1);
  });

  test("on the caller's own client makes later queries wait until it ends", async () => {
    const db = withContext(await testClient());
    const ctx = background();
    const rows = db.stream<{ n: number }>(ctx, "select generate_series(1, 1000) as n");
    expect((await rows.next()).value).toEqual({ n: 1 });
    const after = db.query(ctx, "select 'later' as x");
    await rows.return();
    expect((await after).rows).toEqual([{ x: "later" }]);
  });

  test("takes no connection before the first read, and refuses wrong arguments", async () => {
    const ctx = background();
    const db = withContext(pool);
    db.stream(ctx, "select 1");
    await sleep(ctx, 20);
    expect(pool.totalCount).toBe(0);
    expect(() => db.stream("select 1" as never, "")).toThrow(/stream needs a Context/);
    await expect(db.stream(ctx, 7 as never).next()).rejects.toThrow(TypeError);
    await expectWhole(1);
  });
});

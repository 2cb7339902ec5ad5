/** Tests for every engine that runs inside this process and is stopped by interrupts. */
import { beforeEach, describe, expect, test } from "vitest";
import {
  background,
  isDeadlineExceeded,
  stopped,
  withCancel,
  withLedger,
  withTimeout,
  working,
  type Context,
} from "../../src/index.ts";
import { computing, delay, failure, longestBlock, quiet, until } from "../embedded.ts";
import { CANCELS, race } from "./race.ts";
import { cancelAtEveryStep } from "./steps.ts";

/** One engine and its adapter. `Q` has statements, `T` also `transaction`, and `D` also `connection`. */
export interface EngineUnderTest<Q, T extends Q, D extends T> {
  /** The prefix of the adapter's kinds of work, such as "duckdb". */
  readonly name: string;
  /** SQL that computes for minutes before its first row. */
  readonly endless: string;
  /** Returns SQL that computes for `ms` milliseconds and then has the row `value`. */
  after(ms: number, value: number): string;
  /** Resolves with `value` after `ms` milliseconds of computing, or at once if `ms` is 0. */
  compute(db: Q, ctx: Context, value: number, ms: number): Promise<number>;
  /** Returns SQL for the numbers from 0 to `n` - 1. */
  below(n: number): string;
  /** SQL for an endless series of numbers, each of which takes a while. */
  readonly drip: string;
  /** A statement with a syntax error, and the driver's error for it. */
  readonly nonsense: readonly [sql: string, error: RegExp];
  /** The driver's error for a table that does not exist. */
  readonly noTable: RegExp;
  /** Resolves with the first column, as numbers. */
  select(db: Q, ctx: Context, sql: string): Promise<number[]>;
  stream(db: Q, ctx: Context, sql: string): AsyncIterable<number>;
  transaction<R>(db: T, ctx: Context, fn: (tx: Q) => Promise<R>): Promise<R>;
  connection<R>(db: D, ctx: Context, fn: (own: T) => Promise<R>): Promise<R>;
}

export function engineSuite<Q, T extends Q, D extends T>(
  engine: EngineUnderTest<Q, T, D>,
  title: string,
  /** Returns a new wrapper. */
  make: () => D,
  /** Set if all wrappers share one connection. */
  shared?: {
    /** Interrupts the engine without the adapter. */
    interrupt(): void;
  },
): void {
  const { name, endless } = engine;
  const select = (db: Q, ctx: Context, sql: string) => engine.select(db, ctx, sql);
  const works = async (db: D) => expect(await select(db, background(), "SELECT 42")).toEqual([42]);
  const numbers = (db: D) => select(db, background(), "SELECT n FROM suite ORDER BY n");
  const insert = (db: Q, ctx: Context, n: number) =>
    select(db, ctx, `INSERT INTO suite VALUES (${n}) RETURNING n`);
  const counting = (n: number) => Array.from({ length: n }, (_, i) => i);

  describe(`${title}: a query`, () => {
    test("that is canceled stops in the engine, and rejects with its context's error", async () => {
      const db = make();
      using ctx = withCancel(background());
      const answer = failure(select(db, ctx, endless));
      await computing();
      ctx.cancel(new Error("client left"));
      expect(await answer).toBe(ctx.err());
      await quiet();
      await works(db);
    });

    test("stops at the deadline of its context", async () => {
      using ctx = withTimeout(background(), 50);
      const error = await failure(select(make(), ctx, endless));
      expect(isDeadlineExceeded(error)).toBe(true);
      expect(error).toBe(ctx.err());
      await quiet();
    });

    test("stops even if its context ends before the engine has begun", async () => {
      const db = make();
      for (let i = 0; i < 200; i++) {
        using ctx = withCancel(withLedger(background()));
        const answer = failure(select(db, ctx, endless));
        for (let turn = 0; turn < i % 20; turn++) await Promise.resolve();
        if (i % 20 === 19) await new Promise(setImmediate);
        ctx.cancel();
        expect(await answer).toBe(ctx.err());
        for (const { state } of await stopped(ctx)) expect(state).toBe("stopped");
      }
      await quiet();
    });

    test("is never hit by the stop of another query", async () => {
      const db = make();
      const cancels = Math.ceil(CANCELS / 2);
      const result = await race({
        ...{ seed: title.length, cancels },
        workers: 4,
        guilty: (ctx, i, seconds) => engine.compute(db, ctx, i, seconds * 1_000),
        innocent: (ctx, i) => engine.compute(db, ctx, i, 0),
      });
      expect(result.late).toBeGreaterThan(cancels / 100);
      expect(result.canceled).toBeGreaterThan(cancels / 20);
    });

    test("is not started if its context is done, and rejects with the context's error", async () => {
      const db = make();
      using ctx = withCancel(background());
      ctx.cancel();
      await expect(select(db, ctx, "CREATE TABLE never (n INT)")).rejects.toBe(ctx.err());
      await expect(select(db, background(), "SELECT * FROM never")).rejects.toThrow(engine.noTable);
    });

    test("rejects with a TypeError if its first argument is not a context", async () => {
      const db = make();
      await expect(select(db, "SELECT 1" as never, "SELECT 1")).rejects.toThrow(TypeError);
      await expect(select(db, undefined as never, "SELECT 1")).rejects.toThrow(/got undefined/);
    });

    test("that fails rejects with the driver's own error", async () => {
      const [sql, error] = engine.nonsense;
      using ctx = withCancel(background());
      await expect(select(make(), ctx, sql)).rejects.toThrow(error);
    });

    test("does not block the event loop while the engine computes", async () => {
      let longest = Infinity;
      // Code that blocks the loop does so every time. A busy machine delays it once, but not five times.
      for (let i = 0; i < 5 && longest >= 500; i++) {
        using ctx = withTimeout(background(), 1_000);
        longest = await longestBlock(() => failure(select(make(), ctx, endless)));
      }
      expect(longest).toBeLessThan(500);
    });

    test('appears in the ledger, and has the receipt "stopped" after its context has ended', async () => {
      using ctx = withCancel(withLedger(background()));
      const answer = failure(select(make(), ctx, endless));
      await until(() => working(ctx).length === 1);
      expect(working(ctx)[0]).toMatchObject({ kind: `${name}.query` });
      await computing();
      ctx.cancel();
      await answer;
      expect(await stopped(ctx)).toMatchObject([
        { kind: `${name}.query`, what: endless, state: "stopped", reason: "canceled" },
      ]);
    });
  });

  const whenShared = (interrupt: () => void): void => {
    test("queries wait in order, and one that is canceled leaves the queue at once", async () => {
      const [db, other] = [make(), make()]; // they share one queue
      using first = withCancel(background());
      using canceled = withCancel(background());
      const order: number[] = [];
      const running = failure(select(db, first, endless)).then(() => order.push(1));
      const left = failure(select(other, canceled, "SELECT 2"));
      const third = select(db, background(), "SELECT 3").then(() => order.push(3));
      const fourth = select(other, background(), "SELECT 4").then(() => order.push(4));
      await computing();
      canceled.cancel();
      expect(await left).toBe(canceled.err());
      expect(order).toEqual([]);
      first.cancel();
      await Promise.all([running, third, fourth]);
      expect(order).toEqual([1, 3, 4]);
    });

    test("a query that foreign code interrupts rejects with the driver's error", async () => {
      using ctx = withCancel(background());
      const answer = failure(select(make(), ctx, endless));
      await computing();
      interrupt();
      expect(String(await answer)).toMatch(/interrupt/i);
      expect(ctx.err()).toBeUndefined();
    });
  };
  if (shared !== undefined)
    describe(`${title} that is shared:`, () => whenShared(() => shared.interrupt()));

  describe(`${title}: a stream`, () => {
    test("yields every row, and does not start before the first row is requested", async () => {
      const db = make();
      engine.stream(db, background(), "CREATE TABLE never (n INT)");
      const seen: number[] = [];
      for await (const n of engine.stream(db, background(), engine.below(5_000))) seen.push(n);
      expect(seen).toEqual(counting(5_000));
      await expect(select(db, background(), "SELECT * FROM never")).rejects.toThrow(engine.noTable);
    });

    test("that is canceled while the engine computes stops in the engine", async () => {
      const db = make();
      using ctx = withCancel(withLedger(background()));
      let seen = 0;
      const loop = async () => {
        for await (const n of engine.stream(db, ctx, engine.drip)) seen += Number(n >= 0);
      };
      const looping = failure(loop());
      await until(() => seen > 0);
      ctx.cancel();
      expect(await looping).toBe(ctx.err());
      await quiet();
      expect(await stopped(ctx)).toMatchObject([{ kind: `${name}.stream`, state: "stopped" }]);
      await works(db);
    });

    test("gives its place back at once if its context ends while the loop does not ask for rows", async () => {
      const db = make();
      using ctx = withTimeout(background(), 100);
      const rows = engine.stream(db, ctx, engine.below(100_000))[Symbol.asyncIterator]();
      await rows.next();
      await works(db);
      expect(await failure(rows.next())).toBe(ctx.err());
    });

    test("keeps its place until its loop is left", async () => {
      const db = make();
      const order: string[] = [];
      let next: Promise<unknown> | undefined;
      for await (const n of engine.stream(db, background(), engine.below(100_000))) {
        next ??= works(db).then(() => order.push("next"));
        await delay(20);
        order.push(`row ${n}`);
        if (n === 2) break;
      }
      await next;
      expect(order).toEqual(["row 0", "row 1", "row 2", "next"]);
    });

    test("that is canceled throws or yields every row, and does not disturb the next query", async () => {
      const db = make();
      let ended = 0;
      for (let i = 0; i < 100; i++) {
        using ctx = withCancel(background());
        let seen = 0;
        const loop = async () => {
          for await (const n of engine.stream(db, ctx, engine.below(20_000)))
            seen += Number(n >= 0);
        };
        const looping = loop().then(
          () => {
            ended++;
            expect(seen).toBe(20_000);
          },
          (error: unknown) => {
            expect(error).toBe(ctx.err());
          },
        );
        const innocent = select(db, background(), `SELECT ${i}`);
        if (i % 3 > 0) await delay((i % 30) * 0.7);
        ctx.cancel();
        await looping;
        expect(await innocent).toEqual([i]);
      }
      expect(ended).toBeLessThan(100);
    });

    test("does not block the event loop, even if the loop reads as fast as it can", async () => {
      let seen = 0;
      const longest = await longestBlock(async () => {
        const rows = engine.stream(make(), background(), engine.below(300_000));
        for await (const n of rows) seen = n + 1;
      });
      expect(seen).toBe(300_000);
      expect(longest).toBeLessThan(1_000);
    });
  });

  describe(`${title}: a transaction`, () => {
    beforeEach(async () => {
      const db = make();
      await select(db, background(), "DROP TABLE IF EXISTS suite");
      await select(db, background(), "CREATE TABLE suite (n INT)");
    });

    test("commits the changes of its function, and resolves with the function's result", async () => {
      const db = make();
      const ctx = background();
      const seen = await engine.transaction(db, ctx, async (tx) => {
        await insert(tx, ctx, 1);
        const sql = "INSERT INTO suite VALUES (2), (3) RETURNING n";
        for await (const n of engine.stream(tx, ctx, sql)) if (n > 0) break; // all three rows are kept
        return await select(tx, ctx, "SELECT n FROM suite ORDER BY n");
      });
      expect(seen).toEqual([1, 2, 3]);
      expect(await numbers(db)).toEqual([1, 2, 3]);
    });

    test("rolls back if its function throws, and rejects with that error", async () => {
      const db = make();
      const mistake = new Error("mistake");
      const work = engine.transaction(db, background(), async (tx) => {
        await insert(tx, background(), 1);
        throw mistake;
      });
      await expect(work).rejects.toBe(mistake);
      expect(await numbers(db)).toEqual([]);
    });

    test("rolls back if its context ends while a statement runs", async () => {
      const db = make();
      using ctx = withCancel(background());
      const work = failure(
        engine.transaction(db, ctx, async (tx) => {
          await insert(tx, ctx, 1);
          await select(tx, background(), endless); // under its own context, and yet it stops with the transaction
        }),
      );
      await computing();
      ctx.cancel();
      expect(await work).toBe(ctx.err());
      await quiet();
      expect(await numbers(db)).toEqual([]);
    });

    test("commits nothing if its function catches the error of a stopped write, and rejects later statements", async () => {
      const db = make();
      const ctx = background();
      let next: unknown;
      const work = engine.transaction(db, ctx, async (tx) => {
        await insert(tx, ctx, 1);
        using short = withTimeout(ctx, 50);
        const answer = await failure(select(tx, short, `INSERT INTO suite ${endless}`));
        expect(answer).toBe(short.err());
        next = await failure(insert(tx, ctx, 2));
      });
      await expect(work).rejects.toMatchObject({ code: "ERR_NOTHING_COMMITTED" });
      expect(next).toBeInstanceOf(Error);
      expect(await numbers(db)).toEqual([]);
      await works(db);
    });

    test("waits for statements that its function did not await, and rejects statements after its end", async () => {
      const db = make();
      let kept!: Q;
      await engine.transaction(db, background(), async (tx) => {
        kept = tx;
        void insert(tx, background(), 1);
        await Promise.resolve();
      });
      expect(await numbers(db)).toEqual([1]);
      await expect(select(kept, background(), "SELECT 1")).rejects.toThrow(/transaction has ended/);
    });

    test("commits everything or nothing, at whichever step it is canceled", async () => {
      const db = make();
      const steps = await cancelAtEveryStep({
        run: (ctx, step) =>
          engine.transaction(db, ctx, async (tx) => {
            await insert(tx, ctx, 1);
            for await (const n of engine.stream(tx, ctx, engine.below(3))) step(`row ${n}`);
            await select(tx, ctx, `INSERT INTO suite ${engine.after(20, 2)}`);
            step("returns");
          }),
        async check(outcome) {
          expect(await numbers(db)).toEqual("value" in outcome ? [1, 2] : []);
          await select(db, background(), "DELETE FROM suite");
        },
      });
      expect(steps).toEqual(expect.arrayContaining([`${name}.query begins`, "row 2", "returns"]));
    });

    test("and a connection make other queries wait, and a canceled query leaves the queue at once", async () => {
      const db = make();
      let released = false;
      let waited: Promise<unknown> | undefined;
      await engine.connection(db, background(), async (own) => {
        using canceled = withCancel(background());
        const left = failure(select(db, canceled, "SELECT 2"));
        waited = works(db).then(() => expect(released).toBe(true));
        canceled.cancel();
        expect(await left).toBe(canceled.err());
        await engine.transaction(own, background(), (tx) => insert(tx, background(), 1));
        await select(own, background(), "BEGIN");
        await insert(own, background(), 2); // not committed, so it is rolled back
        released = true;
      });
      await waited;
      expect(await numbers(db)).toEqual([1]);
    });

    test("or a connection stops the statements that its function did not await, if the function throws", async () => {
      const db = make();
      for (const run of [engine.transaction.bind(engine), engine.connection.bind(engine)]) {
        let forgotten: Promise<unknown> | undefined;
        const failed = run(db, background(), async (own: Q) => {
          forgotten = failure(select(own, background(), endless));
          await computing();
          throw new Error("mine");
        });
        await expect(failed).rejects.toThrow("mine");
        expect(String(await forgotten)).toContain("context canceled");
        await quiet();
        await works(db);
      }
    });
  });
}

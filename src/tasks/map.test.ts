import { describe, expect, expectTypeOf, test, vi } from "vitest";
import { collected, flush } from "../../test/support.ts";
import { foreignContext } from "../../test/support/foreign-context.ts";
import { Deferred, rejection, watchReports } from "../../test/support/reports.ts";
import { scopeOf } from "../core/foreign.ts";
import { isWatched } from "../core/tree.ts";
import {
  afterFunc,
  background,
  map,
  orDone,
  sleep,
  stopped,
  withCancel,
  withLedger,
  withTimeout,
  working,
  type Context,
} from "../index.ts";
import { ManualClock, useClock } from "../testing/index.ts";

async function collect<T>(results: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = [];
  for await (const result of results) all.push(result);
  return all;
}

/** An async iterable of 0, 1, 2, … that logs what is called. */
function source(count = Infinity): AsyncIterable<number> & { log: string[] } {
  const log: string[] = [];
  let i = 0;
  return {
    log,
    [Symbol.asyncIterator]: () => ({
      next: async () => {
        log.push("next");
        return i < count ? { value: i++ } : { value: undefined, done: true };
      },
      return: async () => {
        log.push("return");
        await flush();
        log.push("returned");
        return { value: undefined, done: true };
      },
    }),
  };
}

/** Calls that a test ends one by one. `ends.get(item)` ends the call for an item. */
function calls() {
  const ends = new Map<unknown, Deferred>();
  const log: unknown[] = [];
  const fn = async (ctx: Context, item: unknown): Promise<unknown> => {
    const end = new Deferred();
    ends.set(item, end);
    log.push(item);
    const stop = afterFunc(ctx, () => log.push(`${String(item)} is canceled`));
    await end.promise.finally(stop);
    return item;
  };
  return { ends, log, fn, end: (item: unknown) => ends.get(item)?.resolve() };
}

const double = (_ctx: Context, n: number): Promise<number> => Promise.resolve(n * 2);

describe("map", () => {
  watchReports();

  test("yields the results of sync and async iterables, of promises and of plain values", async () => {
    const options = { limit: 2 };
    async function* generator() {
      yield* [1, 2, 3];
    }
    expect(await collect(map(background(), [1, 2, 3], double, options))).toEqual([2, 4, 6]);
    expect(await collect(map(background(), generator(), double, options))).toEqual([2, 4, 6]);
    expect(await collect(map(background(), new Set([1, 2, 3]), double, options))).toEqual([
      2, 4, 6,
    ]);
    const promises = [Promise.resolve(1), 2, Promise.resolve(3)];
    expect(await collect(map(background(), promises, double, options))).toEqual([2, 4, 6]);
    expect(await collect(map(background(), "ab", (_, c) => c + c, options))).toEqual(["aa", "bb"]);
    expect(await collect(map(background(), [], double, options))).toEqual([]);
    expect(await collect(map(background(), [undefined], (_, x) => x, options))).toEqual([
      undefined,
    ]);
  });

  test("infers the types of items and results", () => {
    const options = { limit: 1 };
    async function* generator() {
      yield "a";
    }
    const lengths = map(
      background(),
      generator(),
      async (ctx, item) => {
        expectTypeOf(ctx).toEqualTypeOf<Context>();
        expectTypeOf(item).toEqualTypeOf<string>();
        return item.length;
      },
      options,
    );
    expectTypeOf(lengths).toEqualTypeOf<AsyncIterableIterator<number>>();
    const items = [Promise.resolve(1), 2];
    map(background(), items, (_, item) => expectTypeOf(item).toEqualTypeOf<number>(), options);
  });

  test("begins nothing before the first next(), and runs fn under a child of its context", async () => {
    const items = source(1);
    const opened = vi.spyOn(items, Symbol.asyncIterator);
    const ctx = withTimeout(background(), 1e6);
    const fn = vi.fn((inner: Context) => inner);
    const results = map(ctx, items, fn, { limit: 3 });
    await flush();
    expect([opened.mock.calls.length, fn.mock.calls.length]).toEqual([0, 0]);
    const { value } = (await results.next()) as { value: Context };
    expect([value.err(), value.deadline()]).toEqual([undefined, ctx.deadline()]);
    expect(await results.next()).toEqual({ value: undefined, done: true });
    expect(value.err()).toBeDefined();
    expect(ctx.err()).toBeUndefined();
    expect(items.log).toEqual(["next", "next"]); // no return() of a source that has finished
  });

  test("yields in the order of the items, and a slow item holds back the results behind it", async () => {
    const { fn, end, log } = calls();
    const seen: unknown[] = [];
    const loop = (async () => {
      for await (const item of map(background(), source(5), fn, { limit: 3 })) seen.push(item);
    })();
    await flush();
    expect(log).toEqual([0, 1, 2]);
    end(1);
    end(2);
    await flush();
    expect([seen, log]).toEqual([[], [0, 1, 2]]); // what has finished counts towards the limit
    end(0);
    await flush();
    expect([seen, log]).toEqual([
      [0, 1, 2],
      [0, 1, 2, 3, 4],
    ]);
    end(4);
    end(3);
    await loop;
    expect(seen).toEqual([0, 1, 2, 3, 4]);
  });

  test("yields results as they arrive if `ordered` is false", async () => {
    const { fn, end, log } = calls();
    const seen: unknown[] = [];
    const loop = (async () => {
      const options = { limit: 2, ordered: false };
      for await (const item of map(background(), source(3), fn, options)) seen.push(item);
    })();
    await flush();
    end(1);
    await flush();
    expect([seen, log]).toEqual([[1], [0, 1, 2]]);
    end(2);
    await flush();
    end(0);
    await loop;
    expect(seen).toEqual([1, 2, 0]);
  });

  test.each([true, false])(
    "keeps at most `limit` items between source and loop, with one that is being read (ordered: %s)",
    async (ordered) => {
      const items = source();
      const results = map(background(), items, double, { limit: 3, ordered });
      for (let taken = 1; taken < 5; taken++) {
        expect((await results.next()).value).toBe((taken - 1) * 2);
        await flush();
        expect(items.log).toHaveLength(taken + 3);
      }
      await results.return?.();
    },
  );

  test("answers concurrent calls of next() in order", async () => {
    const { fn, end } = calls();
    const results = map(background(), source(3), fn, { limit: 3 });
    const answers = Promise.all([1, 2, 3, 4, 5].map(() => results.next()));
    await flush();
    for (const item of [2, 1, 0]) end(item);
    const done = { value: undefined, done: true };
    expect(await answers).toEqual([
      ...[0, 1, 2].map((value) => ({ value, done: false })),
      ...[done, done],
    ]);
  });

  test("if the loop is left, cancels and joins what runs, and waits for the source's return()", async () => {
    const items = source();
    const log = items.log;
    for await (const item of map(
      background(),
      items,
      async (ctx, item) => {
        if (item === 0) return item;
        await sleep(ctx, 1e6).catch((err: unknown) => {
          expect(String((err as Error).cause)).toContain("the loop over map() was left");
        });
        await flush();
        await flush();
        log.push(`${item} cleaned up`);
        throw ctx.err() as Error;
      },
      { limit: 3 },
    )) {
      expect(item).toBe(0);
      await flush();
      log.length = 0;
      break;
    }
    expect(log.sort()).toEqual([
      "1 cleaned up",
      "2 cleaned up",
      "3 cleaned up",
      "return",
      "returned",
    ]);
  });

  test("if the loop is left, rejects with the failure of a cleanup or of return()", async () => {
    const cleanup = new Error("cleanup");
    const closing = new Error("closing");
    const leave = async (items: AsyncIterable<number>): Promise<void> => {
      const results = map(
        background(),
        items,
        async (ctx, item) => {
          if (item === 0) return;
          await sleep(ctx, 1e6).catch(() => flush());
          throw cleanup;
        },
        { limit: 2 },
      );
      for await (const _ of results) {
        await flush();
        break;
      }
    };
    expect(await rejection(leave(source()))).toBe(cleanup);
    async function* generator() {
      try {
        for (let i = 0; ; i++) yield i;
      } finally {
        throw closing;
      }
    }
    expect(await rejection(leave(generator()))).toBe(closing);
    expect(closing).toHaveProperty("suppressed", [cleanup]);
  });

  test.each([true, false])(
    "if fn fails, reads no more, cancels and joins the others, and throws that (ordered: %s)",
    async (ordered) => {
      const failure = new Error("failed");
      const cleanup = new Error("cleanup");
      const items = source();
      const causes: unknown[] = [];
      const results = map(
        background(),
        items,
        async (ctx, item) => {
          if (item === 1) {
            await flush();
            throw failure;
          }
          await sleep(ctx, 1e6).catch((err: unknown) => causes.push((err as Error).cause));
          await flush();
          if (item === 2) throw cleanup;
        },
        { limit: 3, ordered },
      );
      expect(await rejection(results.next())).toBe(failure);
      expect(causes).toEqual([failure, failure]);
      expect(failure).toHaveProperty("suppressed", [cleanup]);
      expect(items.log).toEqual(["next", "next", "next", "return", "returned"]);
      expect(await results.next()).toEqual({ value: undefined, done: true });
    },
  );

  test("if fn throws synchronously, and undefined, throws that", async () => {
    const results = map(
      background(),
      [1],
      () => {
        throw undefined; // eslint-disable-line @typescript-eslint/only-throw-error -- it is the subject
      },
      { limit: 1 },
    );
    expect(await rejection(results.next())).toBeUndefined();
  });

  test("drops the results that were not taken when fn fails", async () => {
    const failure = new Error("failed");
    const fn = async (_ctx: Context, item: number) => {
      if (item < 2) return item;
      await flush();
      throw failure;
    };
    const results = map(background(), [0, 1, 2], fn, { limit: 3 });
    expect((await results.next()).value).toBe(0);
    await flush();
    expect(await rejection(results.next())).toBe(failure);
  });

  test("if the source fails, cancels and joins what runs, and throws that without return()", async () => {
    const failure = new Error("failed");
    const log: string[] = [];
    const items = {
      [Symbol.asyncIterator]: () => ({
        next: async () => {
          if (log.push("next") === 2) throw failure;
          return { value: 0, done: false };
        },
        return: () => Promise.reject(new Error("return() was called")),
      }),
    };
    const fn = (ctx: Context) => sleep(ctx, 1e6).catch(() => void log.push("canceled"));
    expect(await rejection(map(background(), items, fn, { limit: 3 }).next())).toBe(failure);
    expect(failure).not.toHaveProperty("suppressed");
    expect(log).toEqual(["next", "next", "canceled"]);
    const opening = {
      [Symbol.asyncIterator]: () => {
        throw failure;
      },
    };
    expect(await rejection(map(background(), opening, fn, { limit: 3 }).next())).toBe(failure);
  });

  test("closes a sync iterable if one of its promises rejects", async () => {
    const failure = new Error("failed");
    let isClosed = false;
    function* items() {
      try {
        yield 1;
        yield Promise.reject(failure);
      } finally {
        isClosed = true;
      }
    }
    expect(await rejection(collect(map(background(), items(), double, { limit: 1 })))).toBe(
      failure,
    );
    expect(isClosed).toBe(true);
  });

  test("starts nothing under a context that is done", async () => {
    const clock = new ManualClock();
    using _ = useClock(clock);
    const canceled = withCancel(background());
    canceled.cancel();
    const late = withTimeout(background(), 10);
    clock.block(20); // only the clock says that the deadline has passed
    for (const ctx of [canceled, late, foreignContext(canceled)]) {
      const items = source();
      expect(await rejection(map(ctx, items, double, { limit: 1 }).next())).toBe(ctx.err());
      expect(items.log).toEqual([]);
    }
  });

  test("if its context ends, cancels and joins what runs, closes the source, and throws its error", async () => {
    const ctx = withCancel(background());
    const items = source();
    const results = map(
      foreignContext(ctx),
      items,
      async (ctx, item) => {
        await sleep(ctx, 1e6).catch(() => flush());
        items.log.push(`${item} cleaned up`);
      },
      { limit: 2 },
    );
    const next = results.next();
    await flush();
    ctx.cancel("why");
    expect(await rejection(next)).toBe(ctx.err());
    expect(items.log.slice(2).sort()).toEqual([
      "0 cleaned up",
      "1 cleaned up",
      "return",
      "returned",
    ]);
    expect(await results.next()).toEqual({ value: undefined, done: true });
  });

  test("throws the error of its context at the next call if the context ends meanwhile", async () => {
    const ctx = withCancel(background());
    const items = source();
    const results = map(ctx, items, double, { limit: 2 });
    await results.next();
    ctx.cancel();
    const read = items.log.length;
    expect(await rejection(results.next())).toBe(ctx.err());
    expect(items.log.slice(read)).toEqual(["return", "returned"]);
  });

  test("has finished normally if its context ends after the last result was taken", async () => {
    const ctx = withCancel(background());
    const results = map(ctx, [1], double, { limit: 2 });
    expect((await results.next()).value).toBe(2);
    await flush();
    ctx.cancel();
    expect(await results.next()).toEqual({ value: undefined, done: true });
  });

  /** An async generator that yields 0 and never answers again. */
  async function* silent() {
    yield 0;
    await new Promise(() => undefined);
  }

  test("does not wait for a silent source at the end of its context, which stays in the ledger", async () => {
    const job = withCancel(background());
    const ctx = withLedger(job);
    const results = map(ctx, silent(), double, { limit: 2 });
    expect((await results.next()).value).toBe(0);
    const next = results.next();
    await flush();
    expect(working(ctx)).toMatchObject([{ kind: "map" }]);
    job.cancel();
    expect(await rejection(next)).toBe(ctx.err());
    expect(await stopped(ctx, { within: 0 })).toContainEqual(
      expect.objectContaining({ kind: "map", state: "running" }),
    );
  });

  test("if the loop is left while next() of the source is pending, waits for return() until its context ends", async () => {
    const leave = async (ctx: Context, items: AsyncIterable<number>): Promise<string> => {
      for await (const _ of map(ctx, items, double, { limit: 2 })) break;
      return "left";
    };
    const ctx = withCancel(background());
    let outcome: unknown;
    void leave(ctx, silent()).then((left) => (outcome = left));
    await flush();
    expect(outcome).toBeUndefined();
    ctx.cancel();
    await flush();
    expect(outcome).toBe("left");

    const failure = new Error("return");
    const answers = { value: 0, done: false };
    let reads = 0;
    const failing = {
      [Symbol.asyncIterator]: () => ({
        next: () => (reads++ === 0 ? Promise.resolve(answers) : new Promise<never>(() => 0)),
        return: () => Promise.reject(failure),
      }),
    };
    expect(await rejection(leave(withCancel(background()), failing))).toBe(failure);
  });

  test("a source that follows the same context ends with it, and is joined", async () => {
    const ctx = withCancel(background());
    const closed: string[] = [];
    async function* items() {
      try {
        yield 1;
        await sleep(ctx, 1e6);
      } finally {
        closed.push("closed");
      }
    }
    const loop = collect(map(ctx, orDone(ctx, items()), double, { limit: 2 }));
    await flush();
    ctx.cancel();
    expect(await rejection(loop)).toBe(ctx.err());
    expect(closed).toEqual(["closed"]);
  });

  test("return() and throw() work before the first next(), and open nothing", async () => {
    const items = source();
    const failure = new Error("thrown");
    const results = map(background(), items, double, { limit: 1 });
    expect(await results.return?.(7)).toEqual({ value: 7, done: true });
    expect(await results.next()).toEqual({ value: undefined, done: true });
    const other = map(background(), items, double, { limit: 1 });
    expect(await rejection(other.throw!(failure))).toBe(failure);
    expect(await other.next()).toEqual({ value: undefined, done: true });
    expect(items.log).toEqual([]);
  });

  test("throw() cancels and joins what runs, and rejects with its error", async () => {
    const failure = new Error("thrown");
    const causes: unknown[] = [];
    const results = map(
      background(),
      source(),
      async (ctx, item) => {
        if (item === 0) return;
        await sleep(ctx, 1e6).catch((err: unknown) => causes.push((err as Error).cause));
      },
      { limit: 1 },
    );
    await results.next();
    await flush();
    expect(await rejection(results.throw!(failure))).toBe(failure);
    expect(causes).toEqual([failure]);
  });

  test("a failure while the loop is busy is no unhandled rejection, and is thrown next", async () => {
    const failure = new Error("failed");
    const fn = async (_ctx: Context, item: number) => {
      if (item === 0) return item;
      await flush();
      throw failure;
    };
    const results = map(background(), [0, 1], fn, { limit: 2 });
    await results.next();
    await new Promise((resolve) => setTimeout(resolve, 1)); // unhandled rejections are reported now
    expect(await rejection(results.next())).toBe(failure);
  });

  test.each([
    ["to the end", () => undefined],
    ["and left", () => "break"],
    [
      "and failing",
      () => {
        throw new Error("x");
      },
    ],
  ])("leaves no watch and no timer after a loop %s", async (_how, body) => {
    const clock = new ManualClock();
    using _ = useClock(clock);
    const ctx = withCancel(background());
    const loop = async (): Promise<void> => {
      const fn = (ctx: Context, i: number) => (i < 3 ? void ctx.signal : sleep(ctx, 1e6 * (i % 2)));
      for await (const _ of map(ctx, [1, 2, 4, 6], fn, { limit: 3 })) {
        if (body() === "break") break;
      }
    };
    await loop().catch(() => undefined);
    expect(isWatched(scopeOf(ctx)!)).toBe(false);
    expect(clock.timers).toBe(0);
  });

  test("an iterator that was dropped after some results does not watch its context", async () => {
    const ctx = withCancel(background());
    const results = map(ctx, source(), double, { limit: 3 });
    await results.next();
    await flush();
    expect(isWatched(scopeOf(ctx)!)).toBe(false);
  });

  test("retains no result that the loop has taken", async () => {
    const results = map(background(), source(), (): object => ({}), { limit: 1 });
    const taken = async (): Promise<WeakRef<object>> =>
      new WeakRef((await results.next()).value as object);
    const first = await taken();
    await taken();
    expect(await collected(() => first.deref() === undefined)).toBe(true);
    await results.return?.();
  });

  test.each([
    [
      "no context",
      () => map(undefined as never, [], double, { limit: 1 }),
      "map got undefined where",
    ],
    [
      "a number",
      () => map(background(), 1 as never, double, { limit: 1 }),
      "map takes an iterable",
    ],
    ["null", () => map(background(), null as never, double, { limit: 1 }), "got null"],
    ["no fn", () => map(background(), [], 1 as never, { limit: 1 }), "map takes a function"],
    ["no options", () => map(background(), [], double, undefined as never), "limit, got undefined"],
    [
      "a limit of 0",
      () => map(background(), [], double, { limit: 0 }),
      "pass Infinity for no limit",
    ],
    ["an option", () => map(background(), [], double, { limit: 1, x: 1 } as never), 'option "x"'],
    [
      "an order",
      () => map(background(), [], double, { limit: 1, ordered: 1 } as never),
      "a boolean",
    ],
  ])("throws at the call if it is given %s", (_what, call, message) => {
    expect(call).toThrow(message);
  });
});

test("rejects if next() of the source returns no object, as a for-await loop does", async () => {
  const items = { [Symbol.asyncIterator]: () => ({ next: async () => 5 as never }) };
  await expect(map(background(), items, (_, item) => item, { limit: 2 }).next()).rejects.toThrow(
    new TypeError(
      "map got number 5 from the next() of its iterator; return an object { done, value }",
    ),
  );
});

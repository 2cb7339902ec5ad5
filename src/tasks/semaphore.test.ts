import { describe, expect, expectTypeOf, test } from "vitest";
import { flush, reported, runProgram } from "../../test/support.ts";
import { scopeOf } from "../core/foreign.ts";
import { isWatched } from "../core/tree.ts";
import {
  background,
  DeadlineExceededError,
  Semaphore,
  withCancel,
  withTimeout,
  withValue,
  key,
  type CancelableContext,
  type Context,
  type Permit,
} from "../index.ts";
import { isFinished } from "../internal.ts";
import { ManualClock, useClock } from "../testing/index.ts";

/** Acquires tokens under contexts of its own, and says in `got` who has which. */
function callers(semaphore: Semaphore) {
  const got: string[] = [];
  const permits: Record<string, Permit> = {};
  const errors: Record<string, unknown> = {};
  const contexts: Record<string, CancelableContext> = {};
  const acquire = (name: string, weight?: number, timeout = Infinity): CancelableContext => {
    const ctx = (contexts[name] = withTimeout(background(), timeout));
    semaphore.acquire(ctx, weight).then(
      (permit) => {
        got.push(name);
        permits[name] = permit;
      },
      (error: unknown) => (errors[name] = error),
    );
    return ctx;
  };
  const release = (name: string): void => permits[name]!.release();
  return { got, permits, errors, contexts, acquire, release };
}

const counts = ({ free, waiting }: Semaphore): number[] => [free, waiting];

describe("acquire", () => {
  test("gives tokens to the callers that wait, in the order in which they asked", async () => {
    const semaphore = new Semaphore(2);
    const { got, acquire, release } = callers(semaphore);
    for (const name of "abcde") acquire(name);
    await flush();
    expect(got.join("")).toBe("ab");
    release("b");
    release("a");
    await flush();
    expect(got.join("")).toBe("abcd");
    release("c");
    await flush();
    expect(got.join("")).toBe("abcde");
    expect(counts(semaphore)).toEqual([0, 0]);
  });

  test("lets no later caller overtake one that needs many tokens", async () => {
    const semaphore = new Semaphore(3);
    const { got, acquire, release } = callers(semaphore);
    acquire("one");
    acquire("all", 3);
    acquire("small");
    await flush();
    expect(got).toEqual(["one"]);
    expect(counts(semaphore)).toEqual([2, 2]);
    expect(semaphore.tryAcquire()).toBeUndefined();
    release("one");
    await flush();
    expect(got).toEqual(["one", "all"]);
    release("all");
    await flush();
    expect(got).toEqual(["one", "all", "small"]);
  });

  test("with a weight above the size waits for its context alone, and hinders no other caller", async () => {
    const semaphore = new Semaphore(2);
    const { got, errors, contexts, acquire } = callers(semaphore);
    acquire("huge", 3);
    acquire("fits", 2);
    await flush();
    expect(got).toEqual(["fits"]);
    expect(counts(semaphore)).toEqual([0, 0]);
    contexts["huge"]!.cancel();
    await flush();
    expect(errors).toEqual({ huge: contexts["huge"]!.err() });
    expect(semaphore.free).toBe(0);
  });

  test("rejects if its context is done, even if tokens are free", async () => {
    const semaphore = new Semaphore(1);
    const ctx = withCancel(background());
    ctx.cancel();
    await expect(semaphore.acquire(ctx)).rejects.toBe(ctx.err());
    expect(semaphore.free).toBe(1);
  });

  test("rejects if its context is canceled at the moment at which the tokens are granted, and the next caller gets them", async () => {
    const semaphore = new Semaphore(1);
    const { got, errors, contexts, acquire, release } = callers(semaphore);
    acquire("first");
    acquire("granted then canceled");
    acquire("next");
    await flush();
    release("first");
    contexts["granted then canceled"]!.cancel();
    await flush();
    expect(got).toEqual(["first", "next"]);
    expect(Object.keys(errors)).toEqual(["granted then canceled"]);

    acquire("canceled then granted");
    acquire("last");
    await flush();
    contexts["canceled then granted"]!.cancel(); // its callback runs after this release
    release("next");
    await flush();
    expect(got).toEqual(["first", "next", "last"]);
    release("last");
    expect(counts(semaphore)).toEqual([1, 0]);
  });

  test("rejects if its deadline has passed by the clock when it gets its tokens, and the tokens are back", async () => {
    const clock = new ManualClock();
    using _ = useClock(clock);
    const semaphore = new Semaphore(1);
    const { got, errors, acquire, release } = callers(semaphore);
    acquire("first");
    acquire("late", 1, 10);
    await flush();
    release("first");
    clock.block(10); // no timer fires
    await flush();
    expect(got).toEqual(["first"]);
    expect(errors["late"]).toBeInstanceOf(DeadlineExceededError);
    expect(counts(semaphore)).toEqual([1, 0]);
  });

  test("passes over a caller whose deadline has passed by the clock", async () => {
    const clock = new ManualClock();
    using _ = useClock(clock);
    const semaphore = new Semaphore(2);
    const { got, errors, acquire, release } = callers(semaphore);
    acquire("first");
    acquire("late", 2, 10);
    acquire("next");
    await flush();
    clock.block(10);
    const permit = semaphore.tryAcquire(); // "next" is asked first
    await flush();
    expect([permit, got]).toEqual([undefined, ["first", "next"]]);
    expect(errors["late"]).toBeInstanceOf(DeadlineExceededError);

    acquire("late again", 1, 10);
    acquire("last");
    await flush();
    clock.block(10);
    release("first");
    await flush();
    expect(got).toEqual(["first", "next", "last"]);
    expect(clock.timers).toBe(0);
  });

  test("when the first caller leaves, gives those behind it the tokens that are free, at once", async () => {
    const semaphore = new Semaphore(3);
    const { got, contexts, acquire } = callers(semaphore);
    acquire("one");
    acquire("all", 3);
    acquire("a");
    acquire("b");
    acquire("c");
    await flush();
    contexts["all"]!.cancel();
    await flush();
    expect(got).toEqual(["one", "a", "b"]);
    expect(counts(semaphore)).toEqual([0, 1]);
  });

  test("when a context ends, all its callers leave with its error, and a later caller gets the tokens", async () => {
    const semaphore = new Semaphore(1);
    const held = await semaphore.acquire(background());
    const ctx = withCancel(background());
    const canceled = Array.from({ length: 200 }, () => semaphore.acquire(ctx));
    const next = semaphore.acquire(background());
    ctx.cancel();
    const results = await Promise.allSettled(canceled);
    expect(results).toEqual(canceled.map(() => ({ status: "rejected", reason: ctx.err() })));
    expect(semaphore.waiting).toBe(1);
    held.release();
    await next;
  });

  test("leaves nothing on its context once it no longer waits", async () => {
    const clock = new ManualClock();
    using _ = useClock(clock);
    const semaphore = new Semaphore(1);
    const ctx = withTimeout(background(), 1_000);
    for (let i = 0; i < 100; i++) {
      const permit = await semaphore.acquire(ctx);
      const waiting = semaphore.acquire(ctx);
      const leaving = withCancel(ctx);
      const left = semaphore.acquire(leaving);
      leaving.cancel();
      await expect(left).rejects.toBe(leaving.err());
      expect(isWatched(scopeOf(ctx)!)).toBe(true);
      permit.release();
      expect(isWatched(scopeOf(ctx)!)).toBe(false);
      (await waiting).release();
    }
    expect(clock.timers).toBe(0);
    expect(semaphore.free).toBe(1);
  });
});

describe("tryAcquire", () => {
  test("returns a permit if its tokens are free, and undefined if not", () => {
    const semaphore = new Semaphore(3);
    const permit = semaphore.tryAcquire(2);
    expect([semaphore.free, semaphore.tryAcquire(2)]).toEqual([1, undefined]);
    permit!.release();
    expect(semaphore.tryAcquire(4)).toBeUndefined();
    expect(semaphore.tryAcquire(3)).toBeDefined();
    expect(semaphore.free).toBe(0);
  });

  test("always returns a permit of a semaphore of size Infinity", () => {
    const semaphore = new Semaphore(Infinity);
    for (let i = 0; i < 10; i++)
      expect(semaphore.tryAcquire(Number.MAX_SAFE_INTEGER)).toBeDefined();
    expect(semaphore.free).toBe(Infinity);
  });
});

describe("a permit", () => {
  test("gives back what it took, and no more, however often it is released and disposed of", async () => {
    const semaphore = new Semaphore(3);
    {
      using permit = await semaphore.acquire(background(), 2);
      expect(semaphore.free).toBe(1);
      permit.release();
      permit.release();
      expect(semaphore.free).toBe(3);
      semaphore.tryAcquire(3);
    }
    expect(semaphore.free).toBe(0);
  });

  test("gives its tokens back at the end of its block", async () => {
    const semaphore = new Semaphore(1);
    {
      using _ = await semaphore.acquire(background());
      expect(semaphore.free).toBe(0);
    }
    expect(semaphore.free).toBe(1);
  });

  test("throws a TypeError if its method is called without it", () => {
    const { release } = new Semaphore(1).tryAcquire() as { release: () => void };
    expect(release).toThrow(
      new TypeError("release() was called without its permit; pass () => permit.release()"),
    );
  });

  test("has the symbol of `using` also where the platform has none", async () => {
    const { stdout, stderr } = await runProgram(`
      const { dispose, ...others } = Object.getOwnPropertyDescriptors(Symbol);
      globalThis.Symbol = Object.defineProperties((name) => others.for.value(name), others);
      const { Semaphore } = await import(BUNDLE);
      const semaphore = new Semaphore(1);
      semaphore.tryAcquire()[Symbol.dispose ?? Symbol.for("Symbol.dispose")]();
      console.log(Symbol.dispose, semaphore.free);
    `);
    expect([stdout, stderr]).toEqual(["undefined 1\n", ""]);
  });
});

describe("use", () => {
  test("runs its function under a child of the context, and returns its result", async () => {
    const semaphore = new Semaphore(2);
    const K = key<string>("k");
    const ctx = withTimeout(withValue(background(), K, "v"), 60_000);
    let inner: Context | undefined;
    const result = await semaphore.use(
      ctx,
      async (child) => {
        inner = child;
        await flush();
        expect([child.value(K), child.err(), child.deadline()]).toEqual([
          "v",
          undefined,
          ctx.deadline(),
        ]);
        return semaphore.free;
      },
      2,
    );
    expect(result).toBe(0);
    expect(semaphore.free).toBe(2);
    expect(isFinished(inner!)).toBe(true);
    expect(ctx.err()).toBeUndefined();
    expect(isWatched(scopeOf(ctx)!)).toBe(false);
    ctx.cancel();
  });

  test("ends the child before it gives the tokens back", async () => {
    const semaphore = new Semaphore(1);
    let inner: Context | undefined;
    const order: unknown[] = [];
    const first = semaphore.use(background(), async (child) => {
      inner = child;
      await flush();
    });
    const second = semaphore.use(background(), () => order.push(inner?.err()?.message));
    await Promise.all([first, second]);
    expect(order).toEqual(["context canceled"]);
  });

  test("gives the tokens back after a failure, and rejects with whatever was thrown", async () => {
    const semaphore = new Semaphore(1);
    const thrown = (fn: () => unknown): Promise<unknown> =>
      semaphore.use(background(), fn).then(
        () => "no failure",
        (error: unknown) => [error, semaphore.free],
      );
    const failure = new Error("failed");
    const throwIt = (error: unknown) => () => {
      throw error;
    };
    expect(await thrown(throwIt(failure))).toEqual([failure, 1]);
    expect(await thrown(throwIt(undefined))).toEqual([undefined, 1]);
    expect(await thrown(() => Promise.reject(failure))).toEqual([failure, 1]);
    const thenable = { then: (_: unknown, reject: (error: unknown) => void) => reject(failure) };
    expect(await thrown(() => thenable)).toEqual([failure, 1]);
  });

  test("waits for its function after the context has ended", async () => {
    const semaphore = new Semaphore(1);
    const ctx = withCancel(background());
    const running = semaphore.use(ctx, async (child) => {
      ctx.cancel();
      await flush();
      return [child.err(), semaphore.free];
    });
    expect(await running).toEqual([ctx.err(), 0]);
    expect(semaphore.free).toBe(1);
  });

  test("does not start its function if the context ended before, even if only the clock says so", async () => {
    const clock = new ManualClock();
    using _ = useClock(clock);
    const semaphore = new Semaphore(1);
    let starts = 0;
    const use = (ctx: Context): Promise<number> => semaphore.use(ctx, () => ++starts);
    const late = withTimeout(background(), 10);
    const running = use(late);
    clock.block(10);
    await expect(running).rejects.toBe(late.err());
    await expect(use(late)).rejects.toBe(late.err());
    const canceled = withCancel(background());
    const granted = use(canceled);
    canceled.cancel();
    await expect(granted).rejects.toBe(canceled.err());
    expect(starts).toBe(0);
    expect(semaphore.free).toBe(1);
  });

  test("has the type of what its function returns", async () => {
    const semaphore = new Semaphore(1);
    expectTypeOf(await semaphore.use(background(), () => 1)).toEqualTypeOf<number>();
    expectTypeOf(semaphore.use(background(), async () => "x")).toEqualTypeOf<Promise<string>>();
    expectTypeOf(semaphore.acquire(background())).toEqualTypeOf<Promise<Permit>>();
    expectTypeOf(semaphore.tryAcquire()).toEqualTypeOf<Permit | undefined>();
    expectTypeOf<Permit>().toExtend<Disposable>();
  });
});

describe("wrong arguments", () => {
  test.each([
    [0, "Semaphore takes as its size a whole number of at least 1, got number 0"],
    [1.5, "got number 1.5; pass Infinity for no limit"],
    [Number.NaN, "got number NaN"],
    [2 ** 53, "got number 9007199254740992"],
    ["2", 'Semaphore takes a number as its size, got the string "2"; pass a number'],
    [undefined, "Semaphore takes a number as its size, got undefined"],
  ])("new Semaphore(%o) throws an error that says what was passed", (size, message) => {
    const make = (): unknown => new Semaphore(size as number);
    expect(make).toThrow(typeof size === "number" ? RangeError : TypeError);
    expect(make).toThrow(message);
  });

  test.each([
    [0, "takes as its weight a whole number of at least 1, got number 0; leave it out for 1"],
    [-1, "got number -1"],
    [Infinity, "got number Infinity"],
    [2 ** 53, "got number 9007199254740992"],
    [null, "takes a number as its weight, got null; pass a number"],
    ["2", 'got the string "2"'],
  ])("a weight of %o is refused before anything begins", async (bad, message) => {
    const weight = bad as number;
    const semaphore = new Semaphore(1);
    const error = typeof bad === "number" ? RangeError : TypeError;
    let starts = 0;
    expect(() => semaphore.tryAcquire(weight)).toThrow(error);
    expect(() => semaphore.tryAcquire(weight)).toThrow(message);
    expect(() => semaphore.tryAcquire(weight)).toThrow(/^Semaphore.tryAcquire takes a/);
    await expect(semaphore.acquire(background(), weight)).rejects.toThrow(error);
    await expect(semaphore.acquire(background(), weight)).rejects.toThrow(
      /^Semaphore.acquire takes a/,
    );
    await expect(semaphore.use(background(), () => starts++, weight)).rejects.toThrow(
      /^Semaphore.use takes a/,
    );
    expect([starts, semaphore.free]).toEqual([0, 1]);
  });

  test("a missing context or function is refused before anything begins", async () => {
    const semaphore = new Semaphore(1);
    const none = undefined as never;
    await expect(semaphore.acquire(none)).rejects.toThrow(
      /Semaphore.acquire got undefined where a Context/,
    );
    await expect(semaphore.use(none, () => 1)).rejects.toThrow(
      /Semaphore.use got undefined where a Context/,
    );
    await expect(semaphore.use(background(), none)).rejects.toThrow(
      "Semaphore.use takes a function, got undefined; pass a function to run: (ctx) => …",
    );
    expect(semaphore.free).toBe(1);
  });
});

// The test takes a second. The limit is for a busy machine.
test("a hundred thousand callers wait, leave from any place, and are served", async () => {
  const MANY = 100_000;
  const semaphore = new Semaphore(1);
  const held = await semaphore.acquire(background());
  const contexts = Array.from({ length: MANY }, () => withCancel(background()));
  let served = 0;
  const settled = contexts.map((ctx) =>
    semaphore.acquire(ctx).then(
      (permit) => {
        served++;
        permit.release();
      },
      () => undefined,
    ),
  );
  expect(semaphore.waiting).toBe(MANY);
  for (let i = 0; i < MANY / 2; i += 2) {
    contexts[MANY / 2 + i]!.cancel();
    contexts[MANY / 2 - 1 - i]!.cancel();
  }
  await flush();
  expect(semaphore.waiting).toBe(MANY / 2);
  held.release();
  await Promise.all(settled);
  expect(served).toBe(MANY / 2);
  expect(counts(semaphore)).toEqual([1, 0]);
}, 60_000);

test("callers that handle their own errors cause no unhandled rejection", async () => {
  const semaphore = new Semaphore(1);
  const errors = await reported(async () => {
    const ctx = withCancel(background());
    const held = await semaphore.acquire(background());
    const waits = [semaphore.acquire(ctx), semaphore.use(ctx, () => 1), semaphore.acquire(ctx, 9)];
    ctx.cancel();
    held.release();
    await Promise.allSettled(waits);
  });
  expect(errors).toEqual([]);
  expect(semaphore.free).toBe(1);
});

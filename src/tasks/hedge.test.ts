import { describe, expect, expectTypeOf, test, vi } from "vitest";
import { flush, reported } from "../../test/support.ts";
import {
  background,
  developmentMode,
  hedge,
  key,
  sleep,
  stopped,
  Superseded,
  withCancel,
  withLedger,
  withTimeout,
  withValue,
  working,
  type Context,
  type HedgeOptions,
} from "../index.ts";
import { ManualClock, useClock } from "../testing/index.ts";

/** A task whose attempts the test settles, in any order. */
function manualTask() {
  const attempts: {
    ctx: Context;
    at: number;
    succeed: (value: string) => void;
    fail: (error: unknown) => void;
  }[] = [];
  const clock = new ManualClock();
  const task = (ctx: Context): Promise<string> =>
    new Promise((succeed, fail) => attempts.push({ ctx, at: clock.now(), succeed, fail }));
  const startedAt = (): number[] => attempts.map(({ at }) => at);
  const attempt = (i: number) => attempts[i]!;
  return { task, clock, attempt, startedAt };
}

async function advance(clock: ManualClock, ms: number): Promise<void> {
  for (let i = 0; i < ms; i += 10) {
    clock.advance(Math.min(10, ms - i));
    await flush();
  }
}

/** Returns how a promise has settled, or "pending". */
async function stateOf(promise: Promise<unknown>): Promise<unknown> {
  let state: unknown = "pending";
  promise.then(
    (value) => (state = value),
    (error: unknown) => (state = error),
  );
  await flush();
  return state;
}

const errorOf = (promise: Promise<unknown>): Promise<unknown> =>
  promise.then(
    () => "resolved",
    (error: unknown) => error,
  );

describe("hedge", () => {
  test("returns the result of the first attempt, and starts no other if it is quick", async () => {
    const { task, clock, attempt, startedAt } = manualTask();
    using _ = useClock(clock);
    const call = hedge(background(), task, { after: 50, max: 3 });
    await advance(clock, 40);
    attempt(0).succeed("quick");
    await expect(call).resolves.toBe("quick");
    expect(clock.timers).toBe(0);
    await advance(clock, 1_000);
    expect(startedAt()).toEqual([0]);
    expectTypeOf(call).toEqualTypeOf<Promise<string>>();
    expectTypeOf(hedge(background(), () => 1, { after: 1, max: 1 })).toEqualTypeOf<
      Promise<number>
    >();
  });

  test("starts another attempt after each `after` milliseconds, and at most `max`", async () => {
    const { task, clock, attempt, startedAt } = manualTask();
    using _ = useClock(clock);
    const call = hedge(background(), task, { after: 50, max: 3 });
    await advance(clock, 1_000);
    expect(startedAt()).toEqual([0, 50, 100]);
    expect(clock.timers).toBe(0);
    attempt(1).succeed("second");
    await expect(call).resolves.toBe("second");
  });

  test("starts another attempt at once after a failure, and counts `after` from there", async () => {
    const { task, clock, attempt, startedAt } = manualTask();
    using _ = useClock(clock);
    const call = hedge(background(), task, { after: 50, max: 4 });
    await advance(clock, 30);
    attempt(0).fail(new Error("first"));
    await flush();
    expect(startedAt()).toEqual([0, 30]);
    await advance(clock, 100);
    expect(startedAt()).toEqual([0, 30, 80, 130]);
    attempt(3).succeed("fourth");
    await expect(call).resolves.toBe("fourth");
  });

  test("starts another attempt only after a failure if `after` is Infinity", async () => {
    const { task, clock, attempt, startedAt } = manualTask();
    using _ = useClock(clock);
    const call = hedge(background(), task, { after: Infinity, max: 2 });
    expect(clock.timers).toBe(0);
    await advance(clock, 1_000);
    attempt(0).fail(new Error("first"));
    await flush();
    expect(startedAt()).toEqual([0, 1_000]);
    attempt(1).succeed("second");
    await expect(call).resolves.toBe("second");
  });

  test("takes attempts that throw at once, however many", async () => {
    let attempts = 0;
    const call = hedge(
      background(),
      () => {
        if (++attempts < 20_000) throw new Error("at once");
        return attempts;
      },
      { after: 50, max: 20_000 },
    );
    await expect(call).resolves.toBe(20_000);
  });

  test("returns the winner at once, and cancels the other attempts with a Superseded as the cause", async () => {
    const { task, clock, attempt } = manualTask();
    using _ = useClock(clock);
    const call = hedge(background(), task, { after: 10, max: 3 });
    await advance(clock, 20);
    attempt(2).succeed("third");
    await expect(call).resolves.toBe("third");
    for (const i of [0, 1])
      expect(attempt(i).ctx.err()).toMatchObject({
        name: "AbortError",
        cause: expect.any(Superseded) as unknown,
      });
    expect(attempt(2).ctx.err()?.cause).toBeUndefined();
  });

  test("the other attempts stay in the ledger until they have ended", async () => {
    const { task, clock, attempt } = manualTask();
    using _ = useClock(clock);
    const ctx = withLedger(background());
    const call = hedge(ctx, task, { after: 10, max: 3 });
    await advance(clock, 20);
    attempt(1).succeed("second");
    await call;
    const names = (): unknown => working(ctx).map(({ kind, what }) => [kind, what]);
    expect(names()).toEqual([
      ["hedge", "attempt 1"],
      ["hedge", "attempt 3"],
    ]);
    const receipts = stopped(ctx);
    clock.advance(5);
    attempt(0).succeed("too late");
    await flush();
    expect(names()).toEqual([["hedge", "attempt 3"]]);
    clock.advance(5);
    attempt(2).fail(new Error("dropped"));
    const work = { kind: "hedge", state: "stopped", reason: "canceled" };
    expect(await receipts).toEqual([
      { ...work, what: "attempt 1", ran: 20, after: 5 },
      { ...work, what: "attempt 3", ran: 0, after: 10 },
    ]);
  });

  test("drops what the other attempts throw, and reports no unhandled rejection", async () => {
    const { task, clock, attempt } = manualTask();
    const errors = await reported(async () => {
      using _ = useClock(clock);
      const call = hedge(background(), task, { after: 10, max: 2 });
      await advance(clock, 10);
      attempt(0).succeed("first");
      await call;
      attempt(1).fail(new Error("dropped"));
      await flush();
    });
    expect(errors).toEqual([]);
  });

  test("rejects with the first failure if all attempts fail, and the later ones are in its `suppressed`", async () => {
    const { task, clock, attempt } = manualTask();
    using _ = useClock(clock);
    const call = hedge(background(), task, { after: 10, max: 3 });
    await advance(clock, 20);
    const [a, b, c] = [new Error("a"), new Error("b"), new Error("c")];
    attempt(1).fail(b);
    await flush();
    attempt(2).fail(c);
    expect(await stateOf(call)).toBe("pending");
    attempt(0).fail(a);
    const error = await errorOf(call);
    expect(error).toBe(b);
    expect((error as { suppressed?: unknown }).suppressed).toEqual([c, a]);
  });

  test("whatever is thrown is a failure", async () => {
    // eslint-disable-next-line @typescript-eslint/prefer-promise-reject-errors -- as above
    const call = hedge(background(), () => Promise.reject(undefined), { after: 10, max: 2 });
    expect(await errorOf(call)).toBeUndefined();
  });

  test("starts no attempt if the context is done", async () => {
    const { task, startedAt } = manualTask();
    const ctx = withCancel(background());
    ctx.cancel();
    await expect(hedge(ctx, task, { after: 10, max: 2 })).rejects.toBe(ctx.err());
    expect(startedAt()).toEqual([]);
  });

  test("starts no further attempt after the end of the context, even if only the clock says so", async () => {
    const { task, clock, attempt, startedAt } = manualTask();
    using _ = useClock(clock);
    const ctx = withTimeout(background(), 30);
    const call = hedge(ctx, task, { after: 20, max: 9 });
    clock.block(40);
    attempt(0).fail(new Error("late"));
    await expect(call).rejects.toBe(ctx.err());
    expect(startedAt()).toEqual([0]);
    expect(clock.timers).toBe(0);
  });

  test("waits for all attempts when the context ends, and rejects with its error", async () => {
    const { task, clock, attempt, startedAt } = manualTask();
    using _ = useClock(clock);
    const ctx = withCancel(background());
    const call = hedge(ctx, task, { after: 10, max: 3 });
    await advance(clock, 10);
    ctx.cancel();
    await advance(clock, 100);
    expect(startedAt()).toEqual([0, 10]);
    attempt(1).fail(new Error("stopped"));
    expect(await stateOf(call)).toBe("pending");
    attempt(0).fail(attempt(0).ctx.err());
    await expect(call).rejects.toBe(ctx.err());
    expect(clock.timers).toBe(0);
  });

  test("returns the success of an attempt that ends after the context", async () => {
    const { task, clock, attempt } = manualTask();
    using _ = useClock(clock);
    const ctx = withCancel(background());
    const call = hedge(ctx, task, { after: 10, max: 2 });
    await advance(clock, 10);
    ctx.cancel();
    attempt(1).fail(new Error("stopped"));
    await flush();
    attempt(0).succeed("after the end");
    await expect(call).resolves.toBe("after the end");
  });

  test("an attempt runs with the values of the context, which a foreign context has too", async () => {
    const Name = key<string>("name");
    const ctx = withCancel(withValue(background(), Name, "n"));
    const foreign: Context = {
      deadline: () => undefined,
      err: () => ctx.err(),
      value: (k) => ctx.value(k),
      get signal(): AbortSignal {
        throw new Error("hedge must not read it");
      },
    };
    expect(await hedge(foreign, (c) => c.value(Name), { after: 10, max: 2 })).toBe("n");
    ctx.cancel();
    await expect(hedge(foreign, () => 1, { after: 10, max: 2 })).rejects.toBe(ctx.err());
  });

  test("the context of the winner counts as finished", async () => {
    const ctx = withLedger(background());
    let seen: Context | undefined;
    await hedge(ctx, (ctx) => void (seen = ctx), { after: 10, max: 2 });
    expect(seen?.err()).toBeDefined();
    expect(await stopped(ctx)).toEqual([]);
  });

  test.each<[unknown, typeof TypeError, string]>([
    [
      { after: "1", max: 2 },
      TypeError,
      'the option after of hedge takes a duration in milliseconds, got the string "1"',
    ],
    [{ after: Number.NaN, max: 2 }, RangeError, "got NaN for a duration"],
    [undefined, TypeError, "got undefined"],
    [{ after: 1 }, TypeError, "hedge takes a number as max, got undefined; pass a number"],
    [
      { after: 1, max: 0 },
      RangeError,
      "hedge takes as max a whole number of at least 1, got number 0; pass 2 for one extra attempt",
    ],
    [{ after: 1, max: 1.5 }, RangeError, "number 1.5"],
    [{ after: 1, max: Infinity }, RangeError, "number Infinity"],
    [
      { after: 1, max: 2, extraShare: 10 },
      RangeError,
      "hedge takes an extraShare from 0 to 1, got number 10; leave it out for no bound",
    ],
    [{ after: 1, max: 2, extraShare: -0.1 }, RangeError, "got number -0.1"],
    [{ after: 1, max: 2, extraShare: Number.NaN }, RangeError, "got number NaN"],
    [{ after: 1, max: 2, extraShare: "5%" }, TypeError, 'got the string "5%"; pass a number'],
    [{ after: 1, max: 2, delay: 1 }, TypeError, 'the unknown option "delay"'],
  ])("refuses the options %j before an attempt starts", async (options, type, message) => {
    let started = 0;
    const error = await errorOf(hedge(background(), () => ++started, options as HedgeOptions));
    expect(error).toBeInstanceOf(type);
    expect(String(error)).toContain(message);
    expect(started).toBe(0);
  });

  test("refuses a task that is not a function", async () => {
    const call = hedge(background(), 5 as never, { after: 1, max: 1 });
    await expect(call).rejects.toThrow(TypeError);
    await expect(hedge(5 as never, () => 1, { after: 1, max: 1 })).rejects.toThrow(TypeError);
  });
});

describe("extraShare", () => {
  /** Starts `n` calls that take 100 ms, and returns how many attempts they start within it. */
  async function attemptsOf(clock: ManualClock, policy: HedgeOptions, n: number): Promise<number> {
    let attempts = 0;
    const task = async (ctx: Context): Promise<void> => {
      attempts++;
      await sleep(ctx, 100);
    };
    const calls = Array.from({ length: n }, () => hedge(background(), task, policy));
    await advance(clock, 100);
    await Promise.all(calls);
    return attempts;
  }

  test("bounds the extra attempts of the calls that share an options object", async () => {
    const clock = new ManualClock();
    using _ = useClock(clock);
    const policy = { after: 50, max: 2, extraShare: 0.1 };
    expect(await attemptsOf(clock, policy, 40)).toBe(44);
    // Within the same second, 60 calls may start 6 extra attempts, and have started 4.
    expect(await attemptsOf(clock, policy, 20)).toBe(22);
  });

  test("forgets calls and extra attempts after a second", async () => {
    const clock = new ManualClock();
    using _ = useClock(clock);
    const policy = { after: 50, max: 2, extraShare: 0.5 };
    expect(await attemptsOf(clock, policy, 10)).toBe(15);
    await advance(clock, 1_000);
    expect(await attemptsOf(clock, policy, 2)).toBe(3);
    // The calls of four slots ago still count.
    await advance(clock, 300);
    expect(await attemptsOf(clock, policy, 2)).toBe(3);
  });

  test("counts each options object by itself, so a new object for each call starts no extra attempt", async () => {
    const clock = new ManualClock();
    using _ = useClock(clock);
    const policy = { after: 50, max: 2, extraShare: 0.1 };
    expect(await attemptsOf(clock, { ...policy }, 10)).toBe(11);
    const one = Array.from({ length: 20 }, () => attemptsOf(clock, { ...policy }, 1));
    expect(await Promise.all(one)).toEqual(new Array(20).fill(1));
  });

  test("also bounds the attempts after a failure, and the call then fails", async () => {
    let attempts = 0;
    const fail = async (): Promise<never> => {
      attempts++;
      throw new Error("down");
    };
    const policy = { after: 50, max: 5, extraShare: 0.5 };
    for (let i = 0; i < 10; i++) {
      await expect(hedge(background(), fail, policy)).rejects.toThrow("down");
    }
    expect(attempts).toBe(15);
  });

  test("an attempt that may not start yet gets another chance after `after` milliseconds", async () => {
    const { task, clock, attempt, startedAt } = manualTask();
    using _ = useClock(clock);
    const policy = { after: 50, max: 2, extraShare: 0.5 };
    const first = hedge(background(), task, policy);
    await advance(clock, 60);
    expect(startedAt()).toEqual([0]);
    const second = hedge(background(), task, policy);
    await advance(clock, 40);
    expect(startedAt()).toEqual([0, 60, 100]);
    for (const i of [0, 1]) attempt(i).succeed("done");
    await Promise.all([first, second]);
    expect(clock.timers).toBe(0);
  });

  test("a share of 0 starts no extra attempt, and a share of 1 one for each call", async () => {
    const clock = new ManualClock();
    using _ = useClock(clock);
    expect(await attemptsOf(clock, { after: 20, max: 5, extraShare: 0 }, 10)).toBe(10);
    expect(await attemptsOf(clock, { after: 20, max: 5, extraShare: 1 }, 10)).toBe(20);
  });

  test("development mode warns once if each call has an options object of its own", async () => {
    const emitWarning = vi.spyOn(process, "emitWarning").mockImplementation(() => undefined);
    let calls: unknown[][];
    developmentMode(true);
    try {
      for (let i = 0; i < 300; i++) {
        await hedge(background(), () => 1, { after: 50, max: 2, extraShare: 0.1 });
      }
    } finally {
      developmentMode(false);
      calls = [...emitWarning.mock.calls];
      emitWarning.mockRestore();
    }
    expect(calls.length).toBe(1);
    const [message, options] = calls[0] as [string, { code: string }];
    expect(message).toContain("keep one object for each service");
    expect(options.code).toBe("EIGHTYSIX_HEDGE_OPTIONS");
  });
});

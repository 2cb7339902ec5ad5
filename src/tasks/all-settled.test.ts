import { describe, expect, expectTypeOf, test, vi } from "vitest";
import { flush } from "../../test/support.ts";
import { Deferred, watchReports } from "../../test/support/reports.ts";
import { foreignContext } from "../../test/support/foreign-context.ts";
import { scopeOf } from "../core/foreign.ts";
import { isWatched } from "../core/tree.ts";
import {
  afterFunc,
  allSettled,
  background,
  key,
  sleep,
  withCancel,
  withTimeout,
  withValue,
  type Context,
} from "../index.ts";
import { ManualClock, useClock } from "../testing/index.ts";

describe("allSettled", () => {
  watchReports();

  test("returns the outcomes in order, as a tuple, when all tasks have ended", async () => {
    const failure = new Error("failed");
    const result = await allSettled(background(), [
      () => flush().then(() => 1),
      () => {
        throw failure;
      },
      async () => "two",
      (): never => {
        throw undefined; // eslint-disable-line @typescript-eslint/only-throw-error -- it is the subject
      },
    ]);
    expect(result).toEqual([
      { status: "fulfilled", value: 1 },
      { status: "rejected", reason: failure },
      { status: "fulfilled", value: "two" },
      { status: "rejected", reason: undefined },
    ]);
    expectTypeOf(result[0]).toEqualTypeOf<PromiseSettledResult<number>>();
    expectTypeOf(result[2]).toEqualTypeOf<PromiseSettledResult<string>>();
    expectTypeOf(result).toHaveProperty("length").toEqualTypeOf<4>();
    const many: ((ctx: Context) => Promise<number>)[] = [];
    expectTypeOf(await allSettled(background(), many)).toEqualTypeOf<
      PromiseSettledResult<number>[]
    >();
    expect(await allSettled(background(), [])).toEqual([]);
  });

  test("does not cancel the other tasks after a failure, and starts those that wait", async () => {
    const errors: unknown[] = [];
    const result = await allSettled(
      background(),
      [
        () => Promise.reject(new Error("failed")),
        async (ctx) => {
          await flush();
          errors.push(ctx.err());
        },
        (ctx) => errors.push(ctx.err()),
      ],
      { limit: 1 },
    );
    expect(result.map(({ status }) => status)).toEqual(["rejected", "fulfilled", "fulfilled"]);
    expect(errors).toEqual([undefined, undefined]);
  });

  test("gives its tasks a child of its context, which is done when all have ended", async () => {
    const K = key<string>("k");
    const ctx = withTimeout(withValue(background(), K, "v"), 1e6);
    const seen: Context[] = [];
    await allSettled(ctx, [(inner) => seen.push(inner), (inner) => seen.push(inner)]);
    for (const inner of seen) {
      expect([inner.value(K), inner.deadline()]).toEqual(["v", ctx.deadline()]);
      expect(inner.err()).toBeDefined();
    }
    expect(ctx.err()).toBeUndefined();
  });

  test("runs at most `limit` tasks at once, and starts them in order", async () => {
    let running = 0;
    let most = 0;
    const started: number[] = [];
    const tasks = Array.from({ length: 10 }, (_, i) => async () => {
      started.push(i);
      most = Math.max(most, ++running);
      for (let n = 0; n < i % 3; n++) await flush();
      running--;
    });
    await allSettled(background(), tasks, { limit: 3 });
    expect(most).toBe(3);
    expect(started).toEqual(tasks.map((_, i) => i));
  });

  test("rejects what has not started at the end of the context, and keeps what arrives", async () => {
    const ctx = withCancel(background());
    const end = new Deferred();
    const cleanup = new Error("cleanup");
    const never = vi.fn();
    const running = allSettled(
      ctx,
      [
        () => end.promise.then(() => "late"),
        (ctx) => sleep(ctx, 1e6),
        (ctx) => sleep(ctx, 1e6).catch(() => Promise.reject(cleanup)),
        never,
      ],
      { limit: 3 },
    );
    let settled = false;
    void running.then(() => (settled = true));
    ctx.cancel("why");
    await flush();
    expect(settled).toBe(false);
    end.resolve();
    expect(await running).toEqual([
      { status: "fulfilled", value: "late" },
      { status: "rejected", reason: ctx.err() },
      { status: "rejected", reason: cleanup },
      { status: "rejected", reason: ctx.err() },
    ]);
    expect(never).not.toHaveBeenCalled();
  });

  test.each(["canceled", "past its deadline by the clock alone"])(
    "resolves with every entry rejected, and starts nothing, if its context is %s",
    async (how) => {
      const clock = new ManualClock();
      using _ = useClock(clock);
      const ctx = withTimeout(background(), 10);
      if (how === "canceled") ctx.cancel();
      else clock.block(20);
      const never = vi.fn();
      const [first, second] = await allSettled(ctx, [never, never]);
      expect(never).not.toHaveBeenCalled();
      for (const entry of [first, second]) {
        expect(entry.status === "rejected" && entry.reason).toBe(ctx.err());
      }
    },
  );

  test("runs under a foreign context", async () => {
    const ctx = withCancel(background());
    const running = allSettled(foreignContext(ctx), [() => 1, (ctx) => sleep(ctx, 1e6)]);
    ctx.cancel("why");
    expect(await running).toEqual([
      { status: "fulfilled", value: 1 },
      { status: "rejected", reason: ctx.err() },
    ]);
  });

  test("leaves no watch and no timer", async () => {
    const clock = new ManualClock();
    using _ = useClock(clock);
    const ctx = withCancel(background());
    await allSettled(
      ctx,
      [
        (ctx) => void ctx.signal,
        (ctx) => void afterFunc(ctx, () => 1),
        () => Promise.reject(new Error("x")),
        () => flush(),
      ],
      { limit: 2 },
    );
    expect(isWatched(scopeOf(ctx)!)).toBe(false);
    expect(clock.timers).toBe(0);
  });

  test.each([
    [
      "tasks that are no array",
      () => allSettled(background(), 1 as never),
      "an array of functions",
    ],
    ["a task that is no function", () => allSettled(background(), [1 as never]), "got number 1"],
    ["no context", () => allSettled(undefined as never, []), "allSettled got undefined where"],
    ["a limit of 0", () => allSettled(background(), [], { limit: 0 }), "got number 0"],
    ["an option", () => allSettled(background(), [], { limits: 1 } as never), 'option "limits"'],
  ])("rejects if it is given %s", async (_what, call, message) => {
    await expect(call()).rejects.toThrow(message);
  });
});

import { expect, expectTypeOf, test } from "vitest";
import { flush, runProgram } from "../../test/support.ts";
import { foreignContext } from "../../test/support/foreign-context.ts";
import type { Clock } from "../core/clock.ts";
import {
  background,
  interval,
  isDeadlineExceeded,
  sleep,
  withCancel,
  withTimeout,
} from "../index.ts";
import { ManualClock, useClock } from "../testing/index.ts";

/** Records each tick of `ticks` with the time at which it came, and how the loop ended. */
function record(clock: Clock, ticks: AsyncIterable<number>, body?: () => unknown): unknown[] {
  const log: unknown[] = [];
  void (async () => {
    try {
      for await (const tick of ticks) {
        log.push([tick, clock.now()]);
        await body?.();
      }
      log.push("ended");
    } catch (error) {
      log.push(error);
    }
  })();
  return log;
}

/** Moves the clock in small steps, as a program with nothing else to do sees it. */
async function pass(clock: ManualClock, ms: number): Promise<void> {
  for (let i = 0; i < ms; i++) {
    clock.advance(1);
    await flush();
  }
}

test("an interval ticks on the grid that starts at the first next()", async () => {
  const clock = new ManualClock();
  using _ = useClock(clock);
  const ticks = interval(background(), 100);
  clock.advance(77);
  const log = record(clock, ticks);
  await pass(clock, 350);
  expect(log).toEqual([
    [1, 177],
    [2, 277],
    [3, 377],
  ]);
  expectTypeOf(ticks).toExtend<AsyncIterable<number>>();
});

test("a body that takes a part of the interval moves no tick", async () => {
  const clock = new ManualClock();
  using _ = useClock(clock);
  const log = record(clock, interval(background(), 100), () => sleep(background(), 60));
  await pass(clock, 450);
  expect(log).toEqual([100, 200, 300, 400].map((at) => [at / 100, at]));
});

test("ticks that fall due while the body runs are missed, and the index says how many", async () => {
  const clock = new ManualClock();
  using _ = useClock(clock);
  const log = record(clock, interval(background(), 100), () => sleep(background(), 250));
  await pass(clock, 1_000);
  expect(log).toEqual([
    [1, 100],
    [4, 400],
    [7, 700],
    [10, 1000],
  ]);
});

test("a tick that is due at the moment at which the body ends is not missed", async () => {
  const clock = new ManualClock();
  using _ = useClock(clock);
  const log = record(clock, interval(background(), 100), () => sleep(background(), 200));
  await pass(clock, 700);
  expect(log).toEqual([
    [1, 100],
    [3, 300],
    [5, 500],
    [7, 700],
  ]);
});

test("a tick that comes late because the event loop was blocked moves no later tick", async () => {
  const clock = new ManualClock();
  using _ = useClock(clock);
  const log = record(clock, interval(background(), 100));
  await flush();
  clock.block(250);
  await pass(clock, 200);
  expect(log).toEqual([
    [1, 251],
    [3, 300],
    [4, 400],
  ]);
});

test("no tick comes early or twice, with timers that fire early and a grid of fractions", async () => {
  // Each timer fires 0.6 ms early, and the clock counts in fractions.
  let now = 1_234.567;
  let fire: (() => void) | undefined;
  let due = 0;
  const clock: Clock = {
    now: () => now,
    wall: () => now,
    setTimer(fn, ms) {
      [fire, due] = [fn, now + ms - 0.6];
      return () => (fire = undefined);
    },
  };
  using _ = useClock(clock);
  const ms = 100 / 3;
  const log = record(clock, interval(background(), ms));
  await flush();
  for (let i = 0; i < 5_000; i++) {
    now = due;
    fire?.();
    await flush();
  }
  expect(log.length).toBeGreaterThan(1_000);
  for (const [i, entry] of log.entries()) {
    const [tick, at] = entry as [number, number];
    expect(tick).toBe(i + 1);
    expect(at).toBeGreaterThanOrEqual(1_234.567 + tick * ms);
    expect(at).toBeLessThan(1_234.567 + tick * ms + 2);
  }
});

test("an interval shorter than the clock's step has a new index for each tick", async () => {
  const clock = new ManualClock();
  using _ = useClock(clock);
  const log = record(clock, interval(background(), 0.001));
  await pass(clock, 5);
  expect(log.map((entry) => (entry as [number])[0])).toEqual([
    1, 1000, 1001, 2000, 2001, 3000, 3001, 4000, 4001, 5000,
  ]);
});

test("the loop throws the context's error when the context ends, and its timer is cleared", async () => {
  const clock = new ManualClock();
  using _ = useClock(clock);
  const ctx = withCancel(background());
  const log = record(clock, interval(ctx, 100));
  await pass(clock, 150);
  ctx.cancel();
  await flush();
  expect(log).toEqual([[1, 100], ctx.err()]);
  expect(clock.timers).toBe(0);
});

test("the loop throws after its body if the context has ended in the meantime", async () => {
  const clock = new ManualClock();
  using _ = useClock(clock);
  const ctx = withTimeout(background(), 120);
  const log = record(clock, interval(ctx, 100), () => clock.block(500));
  await pass(clock, 100);
  expect(log).toEqual([[1, 100], ctx.err()]);
  expect(isDeadlineExceeded(ctx.err())).toBe(true);
});

test("next() rejects at once if the context is done, and the iterator has then ended", async () => {
  const ctx = withCancel(background());
  ctx.cancel();
  const ticks = interval(ctx, 100);
  await expect(ticks.next()).rejects.toBe(ctx.err());
  await expect(ticks.next()).resolves.toEqual({ done: true, value: undefined });
});

test("a timer and a watch exist only while next() is awaited", async () => {
  const clock = new ManualClock();
  using _ = useClock(clock);
  const ctx = withTimeout(background(), 60_000);
  const ticks = interval(ctx, 100);
  expect(clock.timers).toBe(0);
  const first = ticks.next();
  expect(clock.timers).toBe(2); // of the tick, and of the deadline that is watched for it
  clock.advance(100);
  await expect(first).resolves.toEqual({ done: false, value: 1 });
  expect(clock.timers).toBe(0);
  await ticks.return?.();
  expect(clock.timers).toBe(0);
});

test("a loop that is left sets no further timer", async () => {
  const clock = new ManualClock();
  using _ = useClock(clock);
  const ctx = withCancel(background());
  const loop = (async () => {
    for await (const tick of interval(ctx, 10)) if (tick === 2) break;
  })();
  await pass(clock, 30);
  await loop;
  expect(clock.timers).toBe(0);
});

test("an interval works with a foreign context", async () => {
  const clock = new ManualClock();
  using _ = useClock(clock);
  const ctx = withCancel(background());
  const log = record(clock, interval(foreignContext(ctx), 100));
  await pass(clock, 100);
  ctx.cancel();
  await flush();
  expect(log).toEqual([[1, 100], ctx.err()]);
});

test("the timer of an interval keeps the process running", async () => {
  const { stdout } = await runProgram(`
    import { background, interval } from BUNDLE;
    for await (const tick of interval(background(), 20)) {
      console.log(tick);
      if (tick >= 2) break;
    }
    console.log("after the loop");
  `);
  expect(stdout).toContain("after the loop");
});

test.each([
  [0, RangeError, "interval takes a finite number of milliseconds of at least 0.001, got number 0"],
  [-1, RangeError, "got number -1"],
  [Number.NaN, RangeError, "got number NaN"],
  [Infinity, RangeError, "got number Infinity"],
  [Number.MIN_VALUE, RangeError, "got number 5e-324"],
  [
    "1s",
    TypeError,
    'interval takes a duration in milliseconds, got the string "1s"; pass a number',
  ],
  [undefined, TypeError, "got undefined"],
])("an interval of %o is refused at the call", (ms, type, message) => {
  expect(() => interval(background(), ms as number)).toThrow(type);
  expect(() => interval(background(), ms as number)).toThrow(message);
});

test("an interval without a context is refused at the call", () => {
  expect(() => interval(undefined as never, 1)).toThrow(TypeError);
});

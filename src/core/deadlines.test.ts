import { describe, expect, test, vi } from "vitest";
import { runProgram, until } from "../../test/support.ts";
import {
  background,
  merge,
  endedHere,
  hasBudget,
  isDeadlineExceeded,
  remaining,
  throwIfDone,
  withCancel,
  withDeadline,
  withTimeout,
} from "../index.ts";
import { ManualClock, useClock } from "../testing/index.ts";

describe("a deadline", () => {
  test("does not exist if the time is Infinity", () => {
    expect(withTimeout(background(), Infinity).deadline()).toBeUndefined();
    expect(withDeadline(background(), Infinity).deadline()).toBeUndefined();
    expect(remaining(withTimeout(background(), Infinity))).toBe(Infinity);
  });

  test.each([1e16, 1e300, Number.MAX_VALUE])("may lie beyond every Date: %d ms", (ms) => {
    for (const ctx of [withTimeout(background(), ms), withDeadline(background(), ms)]) {
      expect(ctx.err()).toBeUndefined();
      expect(ctx.deadline()?.getTime()).not.toBeNaN();
      expect(String(ctx)).toContain("WithDeadline(+275760-09-13");
      void ctx.signal;
      ctx.cancel();
    }
    expect(String(withDeadline(background(), -ms))).toContain("WithDeadline(-271821-04-20");
  });

  test("of a child that equals its parent's is the parent's", () => {
    for (let i = 0; i < 200; i++) {
      const at = Date.now() + 1_000;
      const parent = withDeadline(background(), at, { cause: "parent" });
      const child = withDeadline(parent, new Date(at), { cause: "child" });
      expect(child.deadline()).toEqual(parent.deadline());
      expect(String(child)).toMatch(/WithCancel$/); // it has none of its own
    }
  });

  test("does not move if the wall clock is set", () => {
    const clock = new ManualClock();
    using _ = useClock(clock);
    const contexts = [
      withTimeout(background(), 100),
      withDeadline(background(), clock.wall() + 100),
      withDeadline(background(), clock.wall() + 100),
    ];
    void contexts[2]?.signal;
    clock.setWall(clock.wall() - 3_600_000);
    for (const ctx of contexts) expect(remaining(ctx)).toBe(100);
    clock.setWall(clock.wall() + 7_200_000);
    clock.advance(99);
    for (const ctx of contexts) expect(ctx.err()).toBeUndefined();
    clock.advance(1);
    for (const ctx of contexts) expect(isDeadlineExceeded(ctx.err())).toBe(true);
    const now = withDeadline(background(), clock.wall() + 10);
    expect(remaining(now)).toBe(10); // made after the clock was set
  });

  test("that passes while the event loop is blocked ends its context", () => {
    const ctx = withTimeout(background(), 5);
    void ctx.signal;
    for (const end = performance.now() + 8; performance.now() < end;) continue;
    expect(isDeadlineExceeded(ctx.err())).toBe(true);
    expect(() => throwIfDone(ctx)).toThrow("context deadline exceeded");
    expect(ctx.signal.aborted).toBe(true);
  });

  test("ends a watched context by itself, in real time", async () => {
    const ctx = withTimeout(background(), 5);
    let aborted = false;
    ctx.signal.addEventListener("abort", () => (aborted = true));
    await until(() => aborted);
    expect(isDeadlineExceeded(ctx.err())).toBe(true);
  });

  test("makes remaining() count down to 0, and hasBudget() return false once the context is done", () => {
    const clock = new ManualClock();
    using _ = useClock(clock);
    const ctx = withTimeout(background(), 100);
    const child = withCancel(ctx);
    clock.block(40);
    expect(remaining(child)).toBe(60);
    expect([hasBudget(child, 60), hasBudget(child, 61)]).toEqual([true, false]);
    child.cancel();
    expect([remaining(child), hasBudget(child, 0), remaining(ctx)]).toEqual([0, false, 60]);
  });

  test("makes endedHere() true for its own context, and not for a child of that context", () => {
    const clock = new ManualClock();
    using _ = useClock(clock);
    const caller = withTimeout(background(), 100);
    const mine = withTimeout(caller, 10);
    expect(endedHere(mine)).toBe(false);
    clock.block(10);
    expect(endedHere(mine)).toBe(true);
    const again = withTimeout(caller, 1_000);
    clock.block(90);
    expect(endedHere(again)).toBe(false);
    expect(endedHere(mine)).toBe(true);
    expect(endedHere(caller)).toBe(true);
  });

  test("does not affect endedHere() if a child and then its parent are finished", () => {
    const caller = withCancel(background());
    const mine = withCancel(caller);
    mine[Symbol.dispose]();
    caller[Symbol.dispose]();
    expect([endedHere(mine), endedHere(caller)]).toEqual([true, true]);
  });

  test("does not keep the process alive", async () => {
    const { stdout, took, code } = await runProgram(`
      import { afterFunc, background, withTimeout } from BUNDLE;
      const ctx = withTimeout(background(), 60_000);
      ctx.signal.addEventListener("abort", () => {});
      afterFunc(ctx, () => {});
      console.log("over");
    `);
    expect([stdout, code]).toEqual(["over\n", 0]);
    expect(took).toBeLessThan(30_000);
  });

  test("ends a sleep, which does keep the process alive", async () => {
    const { stdout, code } = await runProgram(`
      import { background, sleep, withTimeout } from BUNDLE;
      await sleep(background(), 30);
      console.log("slept");
      await sleep(withTimeout(background(), 30), 60_000).catch((err) => console.log(err.message));
    `);
    expect([stdout, code]).toEqual(["slept\ncontext deadline exceeded\n", 0]);
  });
});

describe("a wall-clock deadline", () => {
  /**
   * A clock whose wall clock drops the fractions that its monotonic clock shows, as on a real
   * platform. The difference between the two therefore changes with each reading.
   */
  class JitteryClock extends ManualClock {
    readonly #phase: number;
    constructor(phase: number) {
      super();
      this.#phase = phase;
    }
    override wall(): number {
      return Math.floor(super.wall() + this.#phase);
    }
  }
  const phases = Array.from({ length: 10 }, (_, i) => i / 10);

  /** Calls `fn` at a hundred times, between which the clocks jitter. */
  function atManyTimes(clock: ManualClock, fn: () => void): void {
    for (let i = 0; i < 100; i++) {
      clock.block(0.37);
      fn();
    }
  }

  test.each(phases)("that has passed by the wall clock is done at birth (phase %d)", (phase) => {
    const clock = new JitteryClock(phase);
    using _ = useClock(clock);
    clock.block(0.01);
    atManyTimes(clock, () => {
      for (const ago of [0, 1, 2, 1_000]) {
        const ctx = withDeadline(background(), new Date(clock.wall() - ago));
        expect(isDeadlineExceeded(ctx.err()), `${ago} ms ago, at ${clock.now()}`).toBe(true);
        expect(remaining(ctx)).toBe(0);
      }
    });
  });

  test.each(phases)("is never later than the wall clock says (phase %d)", (phase) => {
    const clock = new JitteryClock(phase);
    using _ = useClock(clock);
    clock.block(0.01);
    atManyTimes(clock, () => {
      const left = remaining(withDeadline(background(), clock.wall() + 5_000));
      expect(left).toBeLessThanOrEqual(5_000);
      expect(left).toBeGreaterThan(4_997);
    });
  });

  test.each(phases)("shares one monotonic time with every equal one (phase %d)", (phase) => {
    const clock = new JitteryClock(phase);
    using _ = useClock(clock);
    clock.block(0.01);
    const at = clock.wall() + 5_000;
    const first = withDeadline(background(), at);
    atManyTimes(clock, () => {
      const equal = withDeadline(background(), new Date(at));
      expect(remaining(equal)).toBe(remaining(first));
    });
  });

  test("that has passed is done at birth, even if the wall clock was set after the parent's deadline was made", () => {
    const clock = new ManualClock();
    using _ = useClock(clock);
    const parent = withDeadline(background(), clock.wall() + 100);
    clock.setWall(clock.wall() + 3_600_000);
    const child = withDeadline(parent, clock.wall() - 1, { cause: "past" });
    expect([child.err()?.cause, parent.err()]).toEqual(["past", undefined]);
  });

  test("counts if it is earlier than its parent's by a wall clock that was set in between", () => {
    const clock = new ManualClock();
    using _ = useClock(clock);
    const parent = withDeadline(background(), clock.wall() + 10_000);
    clock.setWall(clock.wall() + 3_600_000);
    for (const at of [clock.wall() + 50, parent.deadline()!.getTime() + 3_600_000 - 9_950]) {
      const child = withDeadline(parent, at, { cause: "child" });
      expect(remaining(child)).toBe(50);
      expect(remaining(withDeadline(child, at, { cause: "grandchild" }))).toBe(50);
    }
    clock.setWall(parent.deadline()!.getTime() - 100);
    expect(remaining(withDeadline(parent, parent.deadline()!))).toBe(100);
  });

  test("is not late if the program pauses between the readings of the two clocks when the wall clock was set", () => {
    for (const pausing of [1, 2, 3]) {
      const clock = new ManualClock();
      using _ = useClock(clock);
      clock.block(0.5);
      void withDeadline(background(), clock.wall() + 1);
      clock.setWall(clock.wall() + 3_600_000);
      const wall = clock.wall.bind(clock);
      let readings = 0;
      clock.wall = () => {
        const time = wall();
        if (++readings === pausing) clock.block(50);
        return time;
      };
      const at = wall() + 5_000;
      const left = remaining(withDeadline(background(), at)) - (at - wall());
      expect(left).toBeLessThanOrEqual(0);
      expect(left).toBeGreaterThan(-3);
    }
  });

  test("shares one monotonic time with an equal one if the program pauses between the readings of the two clocks", () => {
    const clock = new ManualClock();
    using _ = useClock(clock);
    const at = clock.wall() + 5_000;
    const first = withDeadline(background(), at);
    const wall = clock.wall.bind(clock);
    clock.wall = () => {
      clock.wall = wall;
      const time = clock.wall();
      clock.block(50);
      return time;
    };
    const equal = withDeadline(background(), at);
    expect(remaining(equal)).toBe(remaining(first));
  });

  test("is done at birth if it has passed, and is never late, on the real clocks", () => {
    for (let i = 0; i < 5_000; i++) {
      expect(isDeadlineExceeded(withDeadline(background(), new Date(Date.now() - 1)).err())).toBe(
        true,
      );
      expect(isDeadlineExceeded(withDeadline(background(), Date.now()).err())).toBe(true);
      expect(remaining(withDeadline(background(), Date.now() + 5_000))).toBeLessThanOrEqual(5_000);
    }
  });
});

describe("fake timers", () => {
  test("of vitest move the deadlines of watched and unwatched contexts", () => {
    vi.useFakeTimers();
    try {
      const watched = withTimeout(background(), 1_000);
      const unwatched = withDeadline(background(), Date.now() + 1_000);
      let aborted = 0;
      watched.signal.addEventListener("abort", () => aborted++);
      vi.advanceTimersByTime(999);
      expect([watched.err(), unwatched.err(), aborted]).toEqual([undefined, undefined, 0]);
      vi.advanceTimersByTime(1);
      expect(aborted).toBe(1);
      expect(isDeadlineExceeded(watched.err())).toBe(true);
      expect(isDeadlineExceeded(unwatched.err())).toBe(true);
      expect(vi.getTimerCount()).toBe(0);
    } finally {
      vi.useRealTimers();
    }
  });

  test("of sinon move deadlines", async () => {
    const { default: sinon } = await import("sinon");
    const fake = sinon.useFakeTimers({ now: 1e12 });
    try {
      const ctx = withTimeout(background(), 1_000);
      expect(ctx.deadline()?.getTime()).toBe(1e12 + 1_000);
      void ctx.signal;
      fake.tick(1_000);
      expect(ctx.signal.aborted).toBe(true);
      expect(fake.countTimers()).toBe(0);
    } finally {
      fake.restore();
    }
  });

  test("of node:test move deadlines through a clock made of what they replace", async () => {
    const { stdout, stderr, code } = await runProgram(`
      import { mock } from "node:test";
      import { background, useClock, withTimeout } from BUNDLE;
      mock.timers.enable({ apis: ["setTimeout", "Date"], now: 5_000 });
      using_(useClock({
        now: () => Date.now(),
        wall: () => Date.now(),
        setTimer(fn, ms) { const id = setTimeout(fn, ms); return () => clearTimeout(id); },
      }), () => {
        const watched = withTimeout(background(), 1_000);
        const unwatched = withTimeout(background(), 1_000);
        watched.signal;
        mock.timers.tick(999);
        console.log(watched.signal.aborted, unwatched.err());
        mock.timers.tick(1);
        console.log(watched.signal.aborted, unwatched.err().message, unwatched.deadline().getTime());
      });
      mock.timers.reset();
      const real = withTimeout(background(), 60_000);
      console.log(real.err());
      function using_(resource, fn) { try { fn(); } finally { resource[Symbol.dispose](); } }
    `);
    expect(stderr.replaceAll(/.*ExperimentalWarning.*\n|\(Use .*\n/g, "")).toBe("");
    expect([stdout, code]).toEqual([
      "false undefined\ntrue context deadline exceeded 6000\nundefined\n",
      0,
    ]);
  });
});

test.each(["asked", "watched"])(
  "if two merged contexts that are %s expire at the same time, the one that was given first counts",
  (how) => {
    const clock = new ManualClock();
    using _ = useClock(clock);
    const [first, second] = [withTimeout(background(), 6), withTimeout(background(), 6)];
    for (const [parent, other] of [
      [first, second],
      [second, first],
    ] as const) {
      const both = merge(parent, other);
      if (how === "watched") void both.signal;
      clock.advance(6);
      expect(both.err()).toBe(parent.err());
    }
  },
);

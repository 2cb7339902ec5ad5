import { mock } from "node:test";
import { afterEach, describe, expect, test, vi } from "vitest";
import { afterFunc, background, isDeadlineExceeded, sleep, withTimeout } from "../index.ts";
import { followTimers, ManualClock, useClock } from "./index.ts";

test("useClock() restores the previous clock when its result is disposed of", () => {
  const outer = new ManualClock(0);
  const inner = new ManualClock(5_000);
  const now = (): number | undefined => withTimeout(background(), 0).deadline()?.getTime();
  using _ = useClock(outer);
  {
    using __ = useClock(inner);
    expect(now()).toBe(5_000);
  }
  expect(now()).toBe(0);
});

describe("followTimers()", () => {
  afterEach(() => {
    mock.timers.reset();
    vi.useRealTimers();
  });

  test("makes deadlines pass under the timers of node:test", async () => {
    mock.timers.enable({ apis: ["setTimeout", "Date"], now: 5_000 });
    using _ = followTimers();
    const watched = withTimeout(background(), 1_000);
    const unwatched = withTimeout(background(), 1_000);
    let ended = 0;
    afterFunc(watched, () => ended++);
    mock.timers.tick(999);
    await Promise.resolve();
    expect([ended, watched.err(), unwatched.err()]).toEqual([0, undefined, undefined]);
    mock.timers.tick(1);
    await Promise.resolve();
    expect(ended).toBe(1);
    expect(isDeadlineExceeded(unwatched.err())).toBe(true);
    expect(unwatched.deadline()).toEqual(new Date(6_000));
  });

  test("makes deadlines pass if Date is real, when their timers fire", async () => {
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
    using _ = followTimers();
    const ctx = withTimeout(background(), 1_000);
    const slept = sleep(background(), 60_000);
    void ctx.signal;
    vi.advanceTimersByTime(500); // Date goes on while the test runs
    expect(ctx.err()).toBeUndefined();
    vi.advanceTimersByTime(500);
    expect(isDeadlineExceeded(ctx.err())).toBe(true);
    vi.advanceTimersByTime(59_000);
    await slept;
  });

  test("removes the timers that are not needed any more", () => {
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "Date"] });
    using _ = followTimers();
    const ctx = withTimeout(background(), 1_000);
    void ctx.signal;
    expect(vi.getTimerCount()).toBe(1);
    ctx.cancel();
    expect(vi.getTimerCount()).toBe(0);
  });
});

test("without followTimers(), no deadline passes under timers that leave performance real", () => {
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "Date"] });
  const ctx = withTimeout(background(), 60_000);
  void ctx.signal;
  vi.advanceTimersByTime(60_000);
  vi.useRealTimers();
  expect(ctx.err()).toBeUndefined();
  ctx.cancel();
});

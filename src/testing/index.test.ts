import { expect, test } from "vitest";
import { background, isDeadlineExceeded, withTimeout } from "../index.ts";
import { ManualClock, useClock } from "./index.ts";

test("a manual clock stands still until the test moves it", () => {
  const clock = new ManualClock(1_000);
  using _ = useClock(clock);
  const ctx = withTimeout(background(), 10);
  expect(ctx.deadline()).toEqual(new Date(1_010));
  clock.advance(9);
  expect([clock.now(), clock.wall(), ctx.err()]).toEqual([9, 1_009, undefined]);
  clock.advance(1);
  expect(isDeadlineExceeded(ctx.err())).toBe(true);
});

test("advance() fires timers in order, each at its own time, also those that are set by a timer", () => {
  const clock = new ManualClock();
  const fired: [string, number][] = [];
  const fire = (name: string) => (): void => void fired.push([name, clock.now()]);
  clock.setTimer(fire("c"), 30);
  clock.setTimer(() => {
    fire("a")();
    clock.setTimer(fire("b"), 5);
  }, 10);
  const clear = clock.setTimer(fire("never"), 20);
  clear();
  expect(clock.timers).toBe(2);
  clock.advance(30);
  expect(fired).toEqual([
    ["a", 10],
    ["b", 15],
    ["c", 30],
  ]);
  expect(clock.timers).toBe(0);
});

test("block() moves the clock and fires no timer", () => {
  const clock = new ManualClock();
  let fired = 0;
  clock.setTimer(() => fired++, 10);
  clock.block(20);
  expect(fired).toBe(0);
  clock.advance(0);
  expect([fired, clock.now()]).toEqual([1, 20]);
});

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

import { expect, test } from "vitest";
import { background, interval, sleep, withTimeout } from "../index.ts";
import { ManualClock, useClock } from "./index.ts";

test("a manual clock stands still until the test moves it", () => {
  const clock = new ManualClock(1_000);
  using _ = useClock(clock);
  const ctx = withTimeout(background(), 10);
  expect(ctx.deadline()).toEqual(new Date(1_010));
  clock.advance(9);
  expect([clock.now(), clock.wall(), ctx.err()]).toEqual([9, 1_009, undefined]);
  clock.advance(1);
  expect(ctx.err()?.name).toBe("TimeoutError");
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

test("timers that are due at the same time fire in the order in which they were set", () => {
  const clock = new ManualClock();
  const fired: string[] = [];
  for (const name of ["a", "b", "c"]) clock.setTimer(() => fired.push(name), 10);
  clock.advance(10);
  expect(fired).toEqual(["a", "b", "c"]);
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

/** Sleeps three times, and returns the times at which it woke. */
async function sleepThrice(clock: ManualClock): Promise<number[]> {
  const woke = [];
  for (let i = 0; i < 3; i++) {
    await sleep(background(), 10);
    woke.push(clock.now());
    for (let awaits = 0; awaits < 20; awaits++) await Promise.resolve();
  }
  return woke;
}

test("advanceAsync() also fires the timers that code sets behind an await", async () => {
  const clock = new ManualClock();
  using _ = useClock(clock);
  const woke = sleepThrice(clock);
  await clock.advanceAsync(35);
  expect([await woke, clock.now(), clock.timers]).toEqual([[10, 20, 30], 35, 0]);
});

test("advanceAsync() leaves the timers alone that are not due", async () => {
  const clock = new ManualClock();
  using _ = useClock(clock);
  void sleepThrice(clock);
  await clock.advanceAsync(19);
  expect([clock.now(), clock.timers]).toEqual([19, 1]);
});

test("run() moves the clock from timer to timer until the function has settled", async () => {
  const clock = new ManualClock();
  using _ = useClock(clock);
  expect(await clock.run(() => sleepThrice(clock))).toEqual([10, 20, 30]);
  expect(clock.now()).toBe(30);
});

test("run() lets deadlines pass, and rejects as the function does", async () => {
  const clock = new ManualClock();
  using _ = useClock(clock);
  const ctx = withTimeout(background(), 3_600_000);
  const ticks: number[] = [];
  const failed = clock.run(async () => {
    for await (const _tick of interval(ctx, 1_000_000)) ticks.push(clock.now());
    throw new Error("the loop has ended");
  });
  await expect(failed).rejects.toThrow();
  expect(ticks.at(-1)).toBe(3_000_000);
  expect(clock.now()).toBe(3_600_000);
});

test("run() waits for real work that is shorter than a second", async () => {
  const clock = new ManualClock();
  using _ = useClock(clock);
  const woke = await clock.run(async () => {
    await new Promise((resolve) => setTimeout(resolve, 30));
    return sleepThrice(clock);
  });
  expect(woke).toEqual([10, 20, 30]);
});

test("run() rejects if the function waits for something that the clock does not control", async () => {
  const clock = new ManualClock();
  await expect(clock.run(() => new Promise(() => undefined))).rejects.toThrow(
    "waits for something that this clock does not control",
  );
});

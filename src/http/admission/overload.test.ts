/** More work than one place can do, on a manual clock: bench/overload without its noise. */
import { expect, test } from "vitest";
import { flush } from "../../../test/support.ts";
import { background, sleep, withTimeout } from "../../index.ts";
import { ManualClock, useClock } from "../../testing/index.ts";
import { admission, OverloadedError, type Admission } from "../index.ts";

interface Crowd {
  readonly perSecond: number;
  readonly seconds: number;
  /** The time that each caller has, in milliseconds. */
  readonly patience: number;
  /** Returns the cost of a run that starts at this millisecond. */
  cost(startedAt: number): number;
}

interface Tally {
  /** For each second, how many callers were served in time. */
  served: number[];
  /** The share of the busy time that was spent on callers that were not served. */
  wasted: number;
  refused: number;
  /** How many callers were refused after a wait. */
  refusedLate: number;
  /** Milliseconds from arrival to result of the served callers, sorted. */
  took: number[];
}

/** Arrivals have equal gaps, except for a jitter that repeats. The property tests use chance. */
async function simulate(make: () => Admission, crowd: Crowd): Promise<Tally> {
  const clock = new ManualClock();
  using _ = useClock(clock);
  const gate = make();
  const tally: Tally = {
    ...{ served: Array<number>(crowd.seconds).fill(0), wasted: 0 },
    ...{ refused: 0, refusedLate: 0, took: [] },
  };
  let busy = 0;
  let useful = 0;
  const visit = async (): Promise<void> => {
    const arrivedAt = clock.now();
    const ctx = withTimeout(background(), crowd.patience);
    let held = 0;
    try {
      await gate.run(ctx, async (own) => {
        const startedAt = clock.now();
        try {
          await sleep(own, crowd.cost(startedAt));
        } finally {
          held = clock.now() - startedAt;
          busy += held;
        }
      });
      useful += held;
      const second = Math.floor(clock.now() / 1e3);
      if (second < crowd.seconds) tally.served[second] = (tally.served[second] ?? 0) + 1;
      tally.took.push(clock.now() - arrivedAt);
    } catch (error) {
      if (!(error instanceof OverloadedError)) return;
      tally.refused++;
      if (clock.now() > arrivedAt) tally.refusedLate++;
    }
  };
  const visits: Promise<void>[] = [];
  let next = 0;
  while (clock.now() < crowd.seconds * 1e3) {
    for (
      ;
      next <= clock.now();
      next += (1e3 / crowd.perSecond) * [0.2, 1.9, 0.5, 1.4][visits.length % 4]!
    )
      visits.push(visit());
    await flush();
    clock.advance(1);
    await flush();
  }
  for (let i = 0; i < crowd.patience + 1; i++) {
    clock.advance(1);
    await flush();
  }
  await Promise.all(visits);
  tally.wasted = 1 - useful / busy;
  tally.took.sort((a, b) => a - b);
  return tally;
}

const onePlace = () => admission({ concurrency: 1 });
const sum = (all: number[]): number => all.reduce((total, x) => total + x, 0);

test.each([110, 200, 1_000])(
  "with %i callers a second for one place and runs of 10 ms, the place is always busy and no run is in vain",
  async (perSecond) => {
    const crowd = { perSecond, seconds: 5, patience: 300, cost: () => 10 };
    const { served, wasted, refusedLate, took } = await simulate(onePlace, crowd);
    expect(sum(served)).toBeGreaterThan(480); // of 500 possible ones
    expect(wasted).toBeLessThan(0.01);
    expect(refusedLate).toBeLessThan(10); // the others were refused on arrival
    expect(took.at(-1)).toBeLessThan(200); // a third of the time is left for the response
  },
);

test("without overload, no caller is refused", async () => {
  const crowd = { perSecond: 80, seconds: 5, patience: 300, cost: () => 10 };
  const { served, refused } = await simulate(onePlace, crowd);
  expect(refused).toBe(0);
  expect(sum(served)).toBeGreaterThan(390);
});

test("when the work becomes slower, fewer callers are served and almost no run is in vain", async () => {
  const crowd = {
    perSecond: 80,
    seconds: 8,
    patience: 300,
    cost: (at: number) => (at < 2_000 ? 10 : 50),
  };
  const { served, wasted } = await simulate(onePlace, crowd);
  expect(Math.min(...served.slice(4))).toBeGreaterThanOrEqual(19); // of 20
  expect(wasted).toBeLessThan(0.1);
});

test("work that became too slow for every deadline is tried about once a second, until it is fast again", async () => {
  const isSlow = (at: number) => at >= 2_000 && at < 12_000;
  const crowd = {
    perSecond: 80,
    seconds: 16,
    patience: 300,
    cost: (at: number) => (isSlow(at) ? 5_000 : 10),
  };
  let starts = 0;
  const { served } = await simulate(onePlace, {
    ...crowd,
    cost(at) {
      if (at >= 8_000 && at < 12_000) starts++;
      return crowd.cost(at);
    },
  });
  expect(starts).toBeGreaterThanOrEqual(2);
  expect(starts).toBeLessThanOrEqual(4); // of 320 callers
  expect(Math.min(...served.slice(0, 2))).toBeGreaterThan(75);
  expect(Math.min(...served.slice(14))).toBeGreaterThan(75); // after two seconds at most
});

test("if one run in ten is very slow, the fast runs are still served", async () => {
  let n = 0;
  const crowd = {
    perSecond: 40,
    seconds: 10,
    patience: 300,
    cost: () => (n++ % 10 === 9 ? 2_000 : 5),
  };
  const { served } = await simulate(() => admission({ concurrency: 4 }), crowd);
  expect(sum(served)).toBeGreaterThan(330); // of 360
});

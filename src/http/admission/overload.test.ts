/** More work than one place can do, on a clock that is wound by hand: bench/overload without its noise. */
import { expect, test } from "vitest";
import { flush } from "../../../test/support.ts";
import { background, sleep, withTimeout } from "../../index.ts";
import { ManualClock, useClock } from "../../testing/index.ts";
import { admission, OverloadedError, type Admission } from "../index.ts";

interface Crowd {
  readonly perSecond: number;
  readonly seconds: number;
  readonly patience: number;
  /** What work costs that begins at this millisecond. */
  cost(at: number): number;
}

interface Tally {
  /** In each second, how many were served in time. */
  served: number[];
  /** The share of the busy time that was spent on those who were not. */
  wasted: number;
  refused: number;
  /** Refused when they had waited already. */
  refusedLate: number;
  /** Milliseconds that the served took, sorted. */
  took: number[];
}

/** Equal gaps but for a jitter that repeats: chance is for the property tests. */
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
    const came = clock.now();
    const ctx = withTimeout(background(), crowd.patience);
    let held = 0;
    try {
      await gate.run(ctx, async (own) => {
        const began = clock.now();
        try {
          await sleep(own, crowd.cost(began));
        } finally {
          held = clock.now() - began;
          busy += held;
        }
      });
      useful += held;
      const second = Math.floor(clock.now() / 1e3);
      if (second < crowd.seconds) tally.served[second] = (tally.served[second] ?? 0) + 1;
      tally.took.push(clock.now() - came);
    } catch (error) {
      if (!(error instanceof OverloadedError)) return;
      tally.refused++;
      if (clock.now() > came) tally.refusedLate++;
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

const one = () => admission({ concurrency: 1 });
const sum = (all: number[]): number => all.reduce((total, x) => total + x, 0);

test.each([110, 200, 1_000])(
  "%i a second for one place of 10 ms: it is busy, and for somebody",
  async (perSecond) => {
    const crowd = { perSecond, seconds: 5, patience: 300, cost: () => 10 };
    const { served, wasted, refusedLate, took } = await simulate(one, crowd);
    expect(sum(served)).toBeGreaterThan(480); // of 500 that are possible
    expect(wasted).toBeLessThan(0.01);
    expect(refusedLate).toBeLessThan(10); // the others were told at the door
    expect(took.at(-1)).toBeLessThan(200); // and have a third of their time for the way home
  },
);

test("who asks for less than can be done is refused nothing", async () => {
  const crowd = { perSecond: 80, seconds: 5, patience: 300, cost: () => 10 };
  const { served, refused } = await simulate(one, crowd);
  expect(refused).toBe(0);
  expect(sum(served)).toBeGreaterThan(390);
});

test("work that becomes slower: fewer are served, and next to none in vain", async () => {
  const crowd = {
    perSecond: 80,
    seconds: 8,
    patience: 300,
    cost: (at: number) => (at < 2_000 ? 10 : 50),
  };
  const { served, wasted } = await simulate(one, crowd);
  expect(Math.min(...served.slice(4))).toBeGreaterThanOrEqual(19); // of 20
  expect(wasted).toBeLessThan(0.1);
});

test("work that becomes too slow for everybody is tried about once a second, and found well again", async () => {
  const isIll = (at: number) => at >= 2_000 && at < 12_000;
  const crowd = {
    perSecond: 80,
    seconds: 16,
    patience: 300,
    cost: (at: number) => (isIll(at) ? 5_000 : 10),
  };
  let began = 0;
  const { served } = await simulate(one, {
    ...crowd,
    cost(at) {
      if (at >= 8_000 && at < 12_000) began++;
      return crowd.cost(at);
    },
  });
  expect(began).toBeGreaterThanOrEqual(2);
  expect(began).toBeLessThanOrEqual(4); // 320 asked
  expect(Math.min(...served.slice(0, 2))).toBeGreaterThan(75);
  expect(Math.min(...served.slice(14))).toBeGreaterThan(75); // after two seconds at most
});

test("a route of two speeds serves the fast, however slow the slow are", async () => {
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

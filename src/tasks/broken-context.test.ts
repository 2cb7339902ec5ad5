/** What the functions that run tasks do under a foreign context that breaks while they run. */
import { describe, expect, test } from "vitest";
import { flush, reported } from "../../test/support.ts";
import { broken, Theirs } from "../../test/support/foreign-context.ts";
import {
  all,
  any,
  group,
  hedge,
  interval,
  isCanceled,
  map,
  orDone,
  race,
  Semaphore,
  SingleFlight,
  sleep,
  type Context,
} from "../index.ts";
import { ManualClock, useClock } from "../testing/index.ts";

async function consume(iterable: AsyncIterable<unknown>): Promise<void> {
  for await (const _ of iterable);
}

/** A verb, with a task that waits and a task that breaks the context and fails. */
type Verb = (ctx: Context, slow: () => Promise<void>, fail: () => Promise<never>) => unknown;

const verbs: Record<string, Verb> = {
  group: (ctx, slow, fail) =>
    group(ctx, (g) => {
      void g.go(slow);
      void g.go(fail);
    }),
  all: (ctx, slow, fail) => all(ctx, [slow, fail]),
  race: (ctx, slow, fail) => race(ctx, [slow, fail]),
  any: (ctx, slow, fail) => any(ctx, [slow, fail]),
  map: (ctx, slow, fail) => consume(map(ctx, [slow, fail], (_, task) => task(), { limit: 2 })),
  hedge: (ctx, slow, fail) => {
    const tasks = [slow, fail];
    return hedge(ctx, () => (tasks.shift() ?? slow)(), { after: 10, max: 3 });
  },
  use: (ctx, slow, fail) => new Semaphore(1).use(ctx, () => Promise.all([slow(), fail()])),
  do: (ctx, slow, fail) => new SingleFlight().do(ctx, 1, () => Promise.all([slow(), fail()])),
};

describe.each(["err", "signal", "value"] as const)("under a context whose %s breaks,", (member) => {
  test.each(Object.entries(verbs))("%s settles when its tasks have ended", async (name, verb) => {
    const clock = new ManualClock();
    using _ = useClock(clock);
    const ctx = new Theirs();
    let end!: () => void;
    const wait = new Promise<void>((resolve) => (end = resolve));
    let hasSettled = false;
    const fail = async (): Promise<never> => {
      await Promise.resolve();
      ctx.breaks = member;
      throw new Error("failed");
    };
    const errors = await reported(async () => {
      const settled = (async () => verb(ctx, () => wait, fail))().then(
        () => (hasSettled = true),
        () => (hasSettled = true),
      );
      await flush();
      clock.advance(10);
      await flush();
      if (name !== "use" && name !== "do") expect(hasSettled).toBe(false);
      end();
      await settled;
    });
    expect(errors).toEqual([]);
    expect(clock.timers).toBe(0);
  });
});

test.each<[string, (ctx: Context, settles: Promise<void>) => Promise<void>]>([
  ["sleep", (ctx) => sleep(ctx, 10)],
  ["interval", (ctx) => consume(interval(ctx, 10))],
  ["orDone", (ctx, settles) => orDone(ctx, settles)],
  ["map", (ctx, settles) => consume(map(ctx, [settles], () => settles, { limit: 1 }))],
])("%s rejects with what a context throws that cannot be watched", async (_name, wait) => {
  const clock = new ManualClock();
  using _ = useClock(clock);
  const ctx = new Theirs();
  ctx.breaks = "signal";
  const errors = await reported(async () => {
    const settles = Promise.resolve();
    await expect(wait(ctx, settles)).rejects.toBe(broken);
    clock.advance(10);
  });
  expect(errors).toEqual([]);
  expect(clock.timers).toBe(0);
});

test.each<[string, (ctx: Context, settles: Promise<void>) => Promise<void>]>([
  ["sleep", (ctx) => sleep(ctx, 10)],
  ["interval", (ctx) => consume(interval(ctx, 10))],
])("%s ends when its timer finds that the err() of its context throws", async (_name, wait) => {
  const clock = new ManualClock();
  using _ = useClock(clock);
  const ctx = new Theirs();
  const errors = await reported(async () => {
    const waiting = wait(ctx, Promise.resolve());
    ctx.breaks = "err";
    clock.advance(10);
    await expect(waiting).rejects.toSatisfy((error) => isCanceled(error) && error.cause === broken);
  });
  expect(errors).toEqual([]);
});

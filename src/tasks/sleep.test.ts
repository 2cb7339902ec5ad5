import { describe, expect, test } from "vitest";
import { flush } from "../../test/support.ts";
import { background, isDeadlineExceeded, sleep, withCancel, withTimeout } from "../index.ts";
import { ManualClock, useClock } from "../testing/index.ts";

describe("sleep", () => {
  test("resolves after its time", async () => {
    const clock = new ManualClock();
    using _ = useClock(clock);
    let over = false;
    void sleep(background(), 100).then(() => (over = true));
    clock.advance(99);
    await flush();
    expect(over).toBe(false);
    clock.advance(1);
    await flush();
    expect([over, clock.timers]).toEqual([true, 0]);
  });

  test("rejects with the context's error as soon as the context is done, and clears its timer", async () => {
    const clock = new ManualClock();
    using _ = useClock(clock);
    const ctx = withCancel(background());
    const sleeping = sleep(ctx, 100);
    expect(clock.timers).toBe(1);
    ctx.cancel("why");
    await expect(sleeping).rejects.toBe(ctx.err());
    expect(clock.timers).toBe(0);
    await expect(sleep(ctx, 0)).rejects.toBe(ctx.err());
  });

  test("rejects if the deadline passed while the event loop was blocked", async () => {
    const clock = new ManualClock();
    using _ = useClock(clock);
    const ctx = withTimeout(background(), 10);
    const sleeping = sleep(ctx, 20);
    clock.block(30);
    clock.advance(0);
    await expect(sleeping).rejects.toBe(ctx.err());
    expect(isDeadlineExceeded(ctx.err())).toBe(true);
  });

  test("takes any number: zero and negative ones resolve at once, huge ones wait", async () => {
    const clock = new ManualClock();
    using _ = useClock(clock);
    await sleep(background(), 0);
    await sleep(background(), -Infinity);
    for (const ms of [2 ** 31, 1e15, Infinity]) {
      const ctx = withCancel(background());
      let over = false;
      const sleeping = sleep(ctx, ms).finally(() => (over = true));
      clock.advance(2 ** 31 - 1);
      await flush();
      expect(over).toBe(false);
      ctx.cancel();
      await expect(sleeping).rejects.toBe(ctx.err());
    }
    expect(clock.timers).toBe(0);
  });
});

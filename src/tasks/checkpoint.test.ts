import { describe, expect, test } from "vitest";
import { background, checkpoint, withCancel, withTimeout, type Context } from "../index.ts";
import { ManualClock, useClock } from "../testing/index.ts";

const busy = (ms: number): void => {
  for (const end = performance.now() + ms; performance.now() < end;) continue;
};

/** Calls `checkpoint` `times` times, as a loop does. */
async function loop(ctx: Context, times: number, each?: (i: number) => void): Promise<number> {
  for (let i = 0; i < times; i++) {
    const turn = checkpoint(ctx);
    if (turn !== undefined) await turn;
    each?.(i);
  }
  return times;
}

describe("checkpoint", () => {
  test("throws at the next call after a cancel, however long its stride is", async () => {
    const ctx = withCancel(background());
    await loop(ctx, 100_000);
    ctx.cancel();
    expect(() => checkpoint(ctx)).toThrow("context canceled");
  });

  test("throws at the next call after a parent is canceled, also if several contexts take turns", async () => {
    const parent = withCancel(background());
    const [a, b] = [withCancel(parent), withCancel(parent)];
    for (let i = 0; i < 1_000; i++) await loop(i % 2 ? a : b, 10);
    parent.cancel();
    expect(() => checkpoint(a)).toThrow("context canceled");
    expect(() => checkpoint(b)).toThrow("context canceled");
  });

  test("throws after the deadline in a loop that never lets timers run", () => {
    const start = performance.now();
    const ctx = withTimeout(background(), 20);
    expect(() => {
      for (;;) checkpoint(ctx)?.catch(() => undefined);
    }).toThrow("context deadline exceeded");
    expect(performance.now() - start).toBeGreaterThanOrEqual(19);
  });

  test("reads the clock soon enough if the turns of a loop become slow after many quick ones", async () => {
    const clock = new ManualClock();
    using _ = useClock(clock);
    const ctx = withTimeout(background(), 1_000_000);
    await loop(ctx, 200_000); // quick ones: the clock stands still
    let slow = 0;
    await expect(
      loop(ctx, 1e9, () => {
        slow++;
        clock.block(10_000);
      }),
    ).rejects.toThrow("context deadline exceeded");
    expect(slow).toBeLessThan(100 + 256);
  });

  test("lets timers and input have their turn, and rejects if one of them canceled", async () => {
    const ctx = withCancel(background());
    setTimeout(() => {
      ctx.cancel("from a timer");
    }, 5);
    await expect(loop(ctx, 1e9)).rejects.toMatchObject({ cause: "from a timer" });
  });

  test("lets two loops take turns", async () => {
    const order: string[] = [];
    const ctx = withCancel(background());
    const run = (name: string): Promise<number> =>
      loop(ctx, 40, () => {
        busy(1);
        if (order.at(-1) !== name) order.push(name);
      });
    await Promise.all([run("a"), run("b")]);
    expect(order.length).toBeGreaterThan(3);
  });

  test("returns no promise most of the time", async () => {
    const ctx = withCancel(background());
    let turns = 0;
    for (let i = 0; i < 100_000; i++) {
      const turn = checkpoint(ctx);
      if (turn !== undefined) turns++;
      await turn;
    }
    expect(turns).toBeLessThan(10_000);
  });
});

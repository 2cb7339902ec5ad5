import { describe, expect, expectTypeOf, test, vi } from "vitest";
import { flush } from "../../test/support.ts";
import {
  all,
  background,
  sleep,
  withCancel,
  type CancelableContext,
  type Context,
} from "../index.ts";
import { ManualClock, useClock } from "../testing/index.ts";

describe("all", () => {
  test("returns the results in order, as a tuple", async () => {
    const result = await all(background(), [
      async () => 1,
      () => "two",
      (ctx) => Promise.resolve(ctx.err()),
    ]);
    expect(result).toEqual([1, "two", undefined]);
    expectTypeOf(result[0]).toEqualTypeOf<number>();
    expectTypeOf(result[1]).toEqualTypeOf<string>();
    expectTypeOf(result).toHaveProperty("length").toEqualTypeOf<3>();
    const many: ((ctx: Context) => Promise<number>)[] = [];
    expectTypeOf(await all(background(), many)).toEqualTypeOf<number[]>();
    expect(await all(background(), [])).toEqual([]);
  });

  test("cancels the other tasks after the first failure, with the error as the cause, and waits for them", async () => {
    const failure = new Error("failed");
    const log: unknown[] = [];
    const running = all(background(), [
      async (ctx) => {
        await sleep(ctx, 60_000).catch((err: unknown) => log.push((err as Error).cause));
        await flush();
        log.push("cleaned up");
        throw new Error("a later failure");
      },
      async () => {
        await flush();
        throw failure;
      },
    ]);
    await expect(running).rejects.toBe(failure);
    expect(log).toEqual([failure, "cleaned up"]);
  });

  test("runs at most as many tasks at once as the limit says, and starts them in order", async () => {
    let running = 0;
    let most = 0;
    const started: number[] = [];
    const tasks = Array.from({ length: 20 }, (_, i) => async () => {
      started.push(i);
      most = Math.max(most, ++running);
      for (let n = 0; n < i % 3; n++) await flush();
      running--;
      return i;
    });
    expect(await all(background(), tasks, { limit: 3 })).toEqual(tasks.map((_, i) => i));
    expect(most).toBe(3);
    expect(started).toEqual(tasks.map((_, i) => i));
  });

  test("starts no task after a failure", async () => {
    const started: number[] = [];
    const task = (i: number) => async () => {
      started.push(i);
      await flush();
      if (i === 0) return;
      await flush();
      if (i === 1) throw new Error("failed");
    };
    await expect(all(background(), [0, 1, 2, 3, 4].map(task), { limit: 2 })).rejects.toThrow(
      "failed",
    );
    expect(started).toEqual([0, 1, 2]); // 2 took the place of 0 before 1 failed
    await expect(
      all(background(), [
        () => {
          throw new Error("at once");
        },
        task(9),
      ]),
    ).rejects.toThrow("at once");
    expect(started).not.toContain(9);
  });

  test("starts no task once the context is done, and rejects with its error", async () => {
    const ctx = withCancel(background());
    const started: number[] = [];
    const running = all(
      ctx,
      [0, 1, 2].map((i) => async () => {
        started.push(i);
        await flush();
        ctx.cancel();
      }),
      { limit: 1 },
    );
    await expect(running).rejects.toThrow("context canceled");
    expect(started).toEqual([0]);
    await expect(running).rejects.toBe(ctx.err());
  });

  test("returns the results if the context ends and no task fails because of that", async () => {
    const ctx = withCancel(background());
    const running = all(ctx, [async () => flush().then(() => 1)]);
    ctx.cancel();
    await expect(running).resolves.toEqual([1]);
  });

  test("starts nothing under a context that is done, and rejects with its error", async () => {
    const ctx = withCancel(background());
    ctx.cancel();
    const task = vi.fn();
    await expect(all(ctx, [task])).rejects.toBe(ctx.err());
    await expect(all(ctx, [])).rejects.toBe(ctx.err());
    expect(task).not.toHaveBeenCalled();
  });

  test("puts later failures into `suppressed` of the first one", async () => {
    const failure = new Error("first");
    const later = new Error("cleanup");
    const running = all(background(), [
      (ctx) => sleep(ctx, 1_000).catch(() => Promise.reject(later)),
      (ctx) => sleep(ctx, 1_000),
      () => Promise.reject(failure),
    ]);
    await expect(running).rejects.toBe(failure);
    expect(failure).toHaveProperty("suppressed", [later]);
  });

  test("leaves no watch on its context", async () => {
    const clock = new ManualClock();
    using _ = useClock(clock);
    const parent = withCancel(background());
    const seen: Context[] = [];
    await all(parent, [(ctx) => void seen.push(ctx), (ctx) => void ctx.signal]);
    expect(seen[0]?.err()).toBeDefined();
    await all(parent, [(ctx) => sleep(ctx, 100), () => Promise.reject(new Error("x"))]).catch(
      () => 0,
    );
    expect(clock.timers).toBe(0);
    expectTypeOf(seen[0]).not.toEqualTypeOf<CancelableContext | undefined>();
  });
});

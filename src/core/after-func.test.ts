import { describe, expect, test } from "vitest";
import { flush, reported } from "../../test/support.ts";
import { afterFunc, background, isDeadlineExceeded, withCancel, withTimeout } from "../index.ts";
import { ManualClock, useClock } from "../testing/index.ts";

describe("afterFunc", () => {
  test("calls the callback once with the context's error, and not inside cancel()", async () => {
    const ctx = withCancel(background());
    const got: unknown[] = [];
    afterFunc(ctx, (err) => got.push(err));
    ctx.cancel();
    expect(got).toEqual([]);
    await flush();
    ctx.cancel();
    await flush();
    expect(got).toEqual([ctx.err()]);
  });

  test("calls the callback in a microtask if the context is done already", async () => {
    const ctx = withTimeout(background(), 0);
    let err: unknown;
    const stop = afterFunc(ctx, (e) => (err = e));
    expect(err).toBeUndefined();
    expect(stop()).toBe(false);
    await flush();
    expect(isDeadlineExceeded(err)).toBe(true);
  });

  test("calls callbacks in the order of registration, including those that an abort listener registers", async () => {
    const ctx = withCancel(background());
    const order: number[] = [];
    afterFunc(ctx, () => order.push(1));
    ctx.signal.addEventListener("abort", () => afterFunc(ctx, () => order.push(3)));
    afterFunc(ctx, () => order.push(2));
    ctx.cancel();
    await flush();
    expect(order).toEqual([1, 2, 3]);
  });

  test("calls callbacks in the order of registration if one is registered after err() has found a passed deadline", async () => {
    const clock = new ManualClock();
    using _ = useClock(clock);
    const ctx = withTimeout(background(), 10);
    const order: number[] = [];
    afterFunc(ctx, () => order.push(1));
    clock.block(10);
    ctx.err();
    const stop = afterFunc(ctx, () => order.push(2));
    expect(stop()).toBe(false);
    await flush();
    expect(order).toEqual([1, 2]);
  });

  test("removes only one registration, and only before the context ends", async () => {
    const ctx = withCancel(background());
    const ran: string[] = [];
    const fn = (name: string) => () => void ran.push(name);
    const a = afterFunc(ctx, fn("a"));
    const b = afterFunc(ctx, fn("b"));
    afterFunc(ctx, fn("c"));
    expect(a()).toBe(true);
    expect(a()).toBe(false);
    ctx.cancel();
    expect(b()).toBe(false);
    await flush();
    expect(ran).toEqual(["b", "c"]);
    expect(b()).toBe(false);
  });

  test("stop() returns false if the deadline has passed and its timer has not fired", async () => {
    const clock = new ManualClock();
    using _ = useClock(clock);
    const ctx = withTimeout(background(), 10);
    let ran = 0;
    const stop = afterFunc(ctx, () => ran++);
    clock.block(10);
    expect(stop()).toBe(false);
    await flush();
    expect(ran).toBe(1);
    expect(clock.timers).toBe(0);
  });

  test("reports an error of a callback once, and passes it neither to the canceler nor to other callbacks", async () => {
    const thrown = new Error("thrown");
    const rejected = new Error("rejected");
    const ran: string[] = [];
    const errors = await reported(async () => {
      const ctx = withCancel(background());
      const stops = [
        afterFunc(ctx, () => {
          throw thrown;
        }),
        afterFunc(ctx, async () => {
          await flush();
          throw rejected;
        }),
        afterFunc(ctx, () => ({
          get then(): never {
            throw thrown;
          },
        })),
      ];
      afterFunc(ctx, () => ran.push("neighbour"));
      expect(() => ctx.cancel()).not.toThrow();
      for (const stop of stops) await stop.finished;
    });
    expect(ran).toEqual(["neighbour"]);
    expect(errors.sort()).toEqual([thrown, thrown, rejected].sort());
  });

  test("stop.finished waits for the promise that a callback returns", async () => {
    const ctx = withCancel(background());
    let resolve = (): void => undefined;
    const slow = new Promise<void>((r) => (resolve = r));
    const stop = afterFunc(ctx, () => slow);
    let over = false;
    void stop.finished.then(() => (over = true));
    ctx.cancel();
    await flush();
    expect(over).toBe(false);
    expect(stop()).toBe(false);
    resolve();
    await flush();
    expect(over).toBe(true);
    await stop.finished;
  });

  test("stop.finished resolves if the callback is removed, whether the property is read before or after", async () => {
    const stop = afterFunc(withCancel(background()), () => undefined);
    const before = stop.finished;
    stop();
    await before;
    await stop.finished;
    const never = afterFunc(background(), () => undefined);
    expect(never()).toBe(true);
    await never.finished;
  });

  test("a callback may remove callbacks, register new ones and cancel", async () => {
    const root = withCancel(background());
    const other = withCancel(background());
    const ran: string[] = [];
    afterFunc(root, () => {
      ran.push("first");
      expect(second()).toBe(false); // the context is done: it will run
      afterFunc(root, () => ran.push("late"));
      other.cancel();
    });
    const second = afterFunc(root, () => ran.push("second"));
    afterFunc(other, () => ran.push("other"));
    root.cancel();
    await flush();
    expect(ran).toEqual(["first", "second", "late", "other"]);
  });
});

/** within and shield. */
import { describe, expect, test } from "vitest";
import { flush } from "../../test/support.ts";
import {
  background,
  key,
  shield,
  sleep,
  withCancel,
  within,
  withValue,
  type Context,
} from "../index.ts";
import { ManualClock, useClock } from "../testing/index.ts";

describe("within", () => {
  test("gives the function its time, waits for it, and ends the context", async () => {
    const clock = new ManualClock();
    using _ = useClock(clock);
    let inner: Context | undefined;
    const result = within(background(), 100, async (ctx) => {
      inner = ctx;
      void ctx.signal;
      await flush();
      return ctx.deadline()?.getTime();
    });
    await expect(result).resolves.toBe(clock.wall() + 100);
    expect(inner?.err()).toBeDefined();
    expect(clock.timers).toBe(0);
  });

  test("rejects with what the function throws, and ends the context then too", async () => {
    let inner: Context | undefined;
    const failure = new Error("failed");
    const failing = within(background(), 100, (ctx) => {
      inner = ctx;
      throw failure;
    });
    await expect(failing).rejects.toBe(failure);
    expect(inner?.err()).toBeDefined();
  });
});

describe("shield", () => {
  const K = key<string>("k");

  test("runs the function after the end of the context, with its values and a deadline", async () => {
    const clock = new ManualClock();
    using _ = useClock(clock);
    const ctx = withCancel(withValue(background(), K, "v"));
    ctx.cancel();
    const seen = await shield(ctx, 100, (inner) => [inner.err(), inner.value(K)]);
    expect(seen).toEqual([undefined, "v"]);
    const cut = shield(ctx, 100, (inner) => sleep(inner, 1e6));
    clock.advance(100);
    await expect(cut).rejects.toThrow("context deadline exceeded");
    expect(clock.timers).toBe(0);
  });
});

import { describe, expect, test } from "vitest";
import { hostileValues } from "../../test/support/hostile-values.ts";
import { reported } from "../../test/support.ts";
import {
  all,
  background,
  cause,
  endedHere,
  isCanceled,
  isContextError,
  isDeadlineExceeded,
  shield,
  withCancel,
  withSignal,
  withTimeout,
} from "../index.ts";
import { describe as textOf, isInstance, readProperty, show } from "../internal.ts";

describe.each(hostileValues)("%s", (_name, make) => {
  test("can be the cause of a cancellation", () => {
    const reason = make();
    const ctx = withCancel(background());
    const child = withTimeout(ctx, 1e6);
    ctx.cancel(reason);
    expect(cause(child)).toBe(reason ?? ctx.err());
    expect(isCanceled(child.err())).toBe(true);
    expect(endedHere(child)).toBe(false);
  });

  test("can be the reason of a signal", () => {
    const controller = new AbortController();
    const ctx = withSignal(background(), controller.signal);
    const reason = make();
    controller.abort(reason);
    const other = withSignal(background(), controller.signal);
    for (const { signal } of [ctx, other]) expect(signal.aborted).toBe(true);
    expect(isContextError(ctx.err())).toBe(true);
    if (reason !== undefined) expect(cause(ctx)).toBe(reason ?? ctx.err());
  });

  test("passes through tasks as it is", async () => {
    const error = make();
    const fail = (): never => {
      throw error;
    };
    const seen: unknown[] = [];
    const keep = (rejection: unknown): unknown => seen.push(rejection);
    const unhandled = await reported(async () => {
      await all(background(), [fail]).catch(keep);
      await shield(background(), 1_000, fail).catch(keep);
    });
    expect(unhandled).toEqual([]);
    expect(seen.map((one) => one === error)).toEqual([true, true]);
  });

  test("is no context error, and is described in a few words", () => {
    const value = make();
    for (const is of [isContextError, isCanceled, isDeadlineExceeded]) {
      expect(is(value)).toBe(false);
    }
    expect(typeof show(value)).toBe("string");
    expect(typeof textOf(value)).toBe("string");
    expect(typeof isInstance(value, Error)).toBe("boolean");
    readProperty(value, "cause");
  });
});

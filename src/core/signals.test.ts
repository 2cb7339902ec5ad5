/** The signal of a context, and contexts that depend on other signals. */
import { describe, expect, test } from "vitest";
import { flush, runProgram } from "../../test/support.ts";
import {
  afterFunc,
  background,
  cause,
  isCanceled,
  isDeadlineExceeded,
  merge,
  withCancel,
  withSignal,
  withTimeout,
  type AbortSignalLike,
} from "../index.ts";
import { ManualClock, useClock } from "../testing/index.ts";

/** A polyfilled signal: it is no EventTarget and has no reason. */
class Polyfilled implements AbortSignalLike {
  aborted = false;
  readonly listeners = new Set<() => void>();
  addEventListener(_type: "abort", listener: () => void): void {
    this.listeners.add(listener);
  }
  removeEventListener(_type: "abort", listener: () => void): void {
    this.listeners.delete(listener);
  }
  abort(): void {
    this.aborted = true;
    for (const listener of this.listeners) listener();
  }
}

describe(".signal", () => {
  test("is a real AbortSignal, always the same", () => {
    const ctx = withCancel(background());
    expect(ctx.signal).toBeInstanceOf(AbortSignal);
    expect(ctx.signal).toBe(ctx.signal);
    expect(background().signal.aborted).toBe(false);
    expect(AbortSignal.any([ctx.signal]).aborted).toBe(false);
  });

  test("makes a function that takes a signal reject with err() itself", async () => {
    const ctx = withCancel(background());
    ctx.signal.addEventListener("abort", () => undefined);
    const waiting = new Promise((_, reject) => {
      ctx.signal.addEventListener("abort", () => reject(ctx.signal.reason as Error));
    });
    ctx.cancel();
    await expect(waiting).rejects.toBe(ctx.err());
    expect(() => ctx.signal.throwIfAborted()).toThrow("context canceled");
  });
});

describe("withSignal", () => {
  test("ends with the first signal that aborts, and its reason is the cause", () => {
    const [a, b] = [new AbortController(), new AbortController()];
    const ctx = withSignal(background(), a.signal, b.signal);
    expect(ctx.err()).toBeUndefined();
    b.abort("why");
    a.abort("too late");
    expect(isCanceled(ctx.err())).toBe(true);
    expect(cause(ctx)).toBe("why");
    expect(ctx.signal.reason).toBe(ctx.err());
  });

  test("is done at birth if a signal has aborted, and a done parent comes first", () => {
    const done = withCancel(background());
    done.cancel("parent");
    const signal = AbortSignal.abort("signal");
    expect(cause(withSignal(background(), new AbortController().signal, signal))).toBe("signal");
    expect(withSignal(done, signal).err()).toBe(done.err());
  });

  test("keeps the error of the context that the signal belongs to", () => {
    const clock = new ManualClock();
    using _ = useClock(clock);
    const source = withTimeout(background(), 10, { cause: "slow" });
    const ctx = withSignal(background(), source.signal);
    clock.advance(10);
    expect(ctx.err()).toBe(source.err());
  });

  test("counts AbortSignal.timeout() as a deadline", () => {
    const controller = new AbortController();
    const ctx = withSignal(background(), controller.signal);
    controller.abort(new DOMException("too slow", "TimeoutError"));
    expect(isDeadlineExceeded(ctx.err())).toBe(true);
    expect((cause(ctx) as Error).message).toBe("too slow");
  });

  test("adds one listener to a signal for all children, and none is left after the end", () => {
    const signal = new Polyfilled();
    const contexts = Array.from({ length: 50 }, () => withSignal(background(), signal));
    expect(signal.listeners.size).toBe(1);
    for (const ctx of contexts.slice(1)) ctx.cancel();
    expect(signal.listeners.size).toBe(1);
    contexts[0]?.[Symbol.dispose]();
    expect(signal.listeners.size).toBe(0);
  });

  test("accepts polyfilled signals, and its own signal is a real one", async () => {
    const signal = new Polyfilled();
    const ctx = withCancel(withSignal(background(), signal));
    let told = 0;
    afterFunc(ctx, () => told++);
    expect(ctx.signal).toBeInstanceOf(AbortSignal);
    signal.abort();
    expect(ctx.err()?.cause).toBeUndefined();
    expect(ctx.signal.aborted).toBe(true);
    await flush();
    expect([told, signal.listeners.size]).toEqual([1, 0]);
  });

  test.each([
    [
      "a proxy that throws",
      new Proxy(
        {},
        {
          get: () => {
            throw new Error("no");
          },
        },
      ),
    ],
    ["undefined", undefined],
    ["null", null],
    ["a string", "why"],
  ])("ends for any reason of a signal: %s", (_name, reason) => {
    const controller = new AbortController();
    const ctx = withSignal(background(), controller.signal);
    controller.abort(reason);
    expect(isCanceled(ctx.err()) || isDeadlineExceeded(ctx.err())).toBe(true);
    expect(ctx.signal.aborted).toBe(true);
  });
});

describe("merge", () => {
  test("ends with the first context that ends and has its error, and has the values of the parent", () => {
    const [a, b] = [withCancel(background()), withCancel(background())];
    const both = merge(a, b);
    b.cancel("b");
    a.cancel("a");
    expect(both.err()).toBe(b.err());
  });

  test("has the earliest deadline and ends by it, whether it is watched or not", () => {
    const clock = new ManualClock();
    using _ = useClock(clock);
    const [a, b] = [withTimeout(background(), 20), withTimeout(background(), 10)];
    const both = merge(a, b);
    expect(both.deadline()).toEqual(b.deadline());
    clock.block(10);
    expect(both.err()).toBe(b.err());
    expect(a.err()).toBeUndefined();
  });

  test("of done contexts has the parent's end, or else that of the first of them", () => {
    const contexts = ["a", "b", "c"].map((name) => {
      const ctx = withCancel(background());
      ctx.cancel(name);
      return ctx;
    });
    const [a, b, c] = contexts as [
      (typeof contexts)[0],
      (typeof contexts)[0],
      (typeof contexts)[0],
    ];
    expect(merge(b, c, a).err()).toBe(b.err());
    expect(merge(background(), c, a).err()).toBe(c.err());
  });

  test("leaves nothing behind when it is canceled itself", () => {
    const clock = new ManualClock();
    using _ = useClock(clock);
    const long = withTimeout(background(), 1e6);
    expect(clock.timers).toBe(0);
    const both = merge(background(), long, withTimeout(long, 10));
    expect(clock.timers).toBe(2);
    both.cancel();
    expect(clock.timers).toBe(0);
  });
});

test("a signal may have any number of listeners without a warning, even on Node 20", async () => {
  const { stderr, stdout } = await runProgram(`
    import { background, withCancel } from BUNDLE;
    for (const signal of [withCancel(background()).signal, background().signal, withCancel(background()).signal]) {
      for (let i = 0; i < 50; i++) signal.addEventListener("abort", () => {});
    }
    setTimeout(() => console.log("done"), 20);
  `);
  expect(stderr).toBe("");
  expect(stdout).toBe("done\n");
});

test("withSignal ignores undefined and null", () => {
  const controller = new AbortController();
  using ctx = withSignal(background(), undefined, controller.signal, null);
  expect(ctx.err()).toBeUndefined();
  controller.abort("gone");
  expect(ctx.err()?.cause).toBe("gone");
});

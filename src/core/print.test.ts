import { inspect } from "node:util";
import { describe, expect, test } from "vitest";
import {
  background,
  key,
  merge,
  todo,
  withCancel,
  withoutCancel,
  withSignal,
  withTimeout,
  withValue,
  type Context,
} from "../index.ts";
import { ManualClock, useClock } from "../testing/index.ts";

const Id = key<unknown>("id");
const Token = key<string>("token", { secret: true });

describe("a context in a log", () => {
  test("reads as in Go", () => {
    const clock = new ManualClock(Date.UTC(2030, 0, 1));
    using _ = useClock(clock);
    const ctx = withoutCancel(withValue(withTimeout(withCancel(background()), 1_500), Id, "r-1"));
    expect(String(ctx)).toBe(
      "context.Background.WithCancel.WithDeadline(2030-01-01T00:00:01.500Z [1500 ms]).WithValue(id, r-1).WithoutCancel",
    );
    expect(String(todo())).toBe("context.TODO");
    const joined = withSignal(merge(background()), new AbortController().signal);
    expect(String(joined)).toBe("context.Background.Merge.WithSignal");
  });

  test("says whether it is live or why it ended", () => {
    const ctx = withCancel(background());
    expect(inspect(ctx)).toBe("Context <context.Background.WithCancel: live>");
    ctx.cancel();
    expect(inspect({ ctx })).toContain("Context <context.Background.WithCancel: context canceled>");
    expect(JSON.stringify({ ctx })).toBe('{"ctx":"context.Background.WithCancel"}');
  });

  test("shows no secret, and only the class of an object", () => {
    class Session {
      password = "hunter2";
    }
    let ctx = withValue(background(), Token, "hunter2");
    for (const value of [new Session(), { p: "hunter2" }, ["hunter2"], () => "hunter2"]) {
      ctx = withValue(ctx, Id, value);
    }
    for (const text of [String(ctx), inspect(ctx), inspect([ctx]), JSON.stringify(ctx)]) {
      expect(text).not.toContain("hunter2");
      expect(text).toContain("token, [secret]");
      expect(text).toContain("id, [Session]");
    }
  });

  test("is one line of bounded length, for any values", () => {
    const hostile = new Proxy(
      {},
      {
        get: () => {
          throw new Error("no");
        },
      },
    );
    const values = ["a\nFAKE LOG LINE\u001b[31m", "x".repeat(1e6), hostile, Symbol("s"), 1n, null];
    let ctx: Context = background();
    for (const value of values) ctx = withValue(ctx, Id, value);
    expect(String(ctx)).not.toMatch(/\p{Cc}/u);
    expect(String(ctx).length).toBeLessThan(500);
    for (let i = 0; i < 10_000; i++) ctx = withCancel(ctx);
    expect(inspect(ctx).length).toBeLessThan(2_000);
    expect(String(ctx)).toMatch(/^context\.Background\.\(9956 more\)\.WithCancel/);
  });

  test("is printed without being watched", () => {
    const clock = new ManualClock();
    using _ = useClock(clock);
    const ctx = withTimeout(background(), 10);
    const foreign: Context = {
      deadline: () => ctx.deadline(),
      err: () => ctx.err(),
      value: (k) => ctx.value(k),
      get signal(): AbortSignal {
        throw new Error("somebody read .signal");
      },
    };
    const child = withCancel(foreign);
    expect(String(child)).toBe("Object.WithCancel");
    for (const c of [ctx, child]) JSON.stringify([String(c), inspect(c), c]);
    expect(clock.timers).toBe(0);
  });

  test("is printed as its class if it is foreign, and its describe() and toString() are not called", () => {
    class Theirs {
      readonly #of = background();
      deadline = (): undefined => undefined;
      err = (): undefined => undefined;
      value: Context["value"] = (k) => this.#of.value(k);
      readonly signal = this.#of.signal;
      describe = (): string => "hunter2";
      toString = (): string => "hunter2";
    }
    expect(String(withCancel(new Theirs()))).toBe("Theirs.WithCancel");
  });
});

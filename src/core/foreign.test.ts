/** Foreign contexts, and two copies of the package. */
import { beforeAll, describe, expect, test } from "vitest";
import { flush, reported, secondCopy, watchings } from "../../test/support.ts";
import { foreignContext, Offering, Theirs } from "../../test/support/foreign-context.ts";
import * as here from "../index.ts";
import {
  afterFunc,
  background,
  CanceledError,
  cause,
  DeadlineExceededError,
  isCanceled,
  isDeadlineExceeded,
  key,
  merge,
  withCancel,
  withTimeout,
  withValue,
  type Context,
  type ContextError,
} from "../index.ts";
import { ManualClock, useClock } from "../testing/index.ts";

const K = key<string>("k");

describe.each(watchings)("a child of a foreign context, %s,", (_how, watch) => {
  test.each([
    ["the four members", Theirs],
    ["afterFunc", Offering],
  ])("ends with the error and cause of the parent (%s)", (_name, Class) => {
    const parent = new Class(withValue(background(), K, "theirs"));
    const child = withCancel(withValue(withTimeout(parent, 1e6), key("x"), 1));
    watch(child);
    expect(child.err()).toBeUndefined();
    parent.end();
    expect(child.err()).toBe(parent.error);
    expect(child.signal.reason).toBe(parent.error);
    expect(cause(child)).toBe("theirs");
    expect(child.value(K)).toBe("theirs");
  });

  test("is done at birth if the parent is done", () => {
    const parent = new Theirs();
    parent.end();
    const child = withTimeout(parent, 0);
    watch(child);
    expect(child.err()).toBe(parent.error);
  });

  test("is done if the parent's err() says so before its signal aborts", () => {
    const parent = new Theirs();
    const child = withCancel(parent);
    watch(child);
    parent.error = new CanceledError();
    expect(child.err()).toBe(parent.error);
  });

  test("keeps the end if the parent's err() ends the parent while it runs", () => {
    const parent = new Theirs();
    let asked = 0;
    parent.err = () => {
      asked++;
      if (asked > 3 && parent.error === undefined) {
        parent.error = new Error("plain") as unknown as ContextError;
        parent.controller.abort(parent.error);
      }
      return parent.error;
    };
    const child = withCancel(parent);
    const sibling = withCancel(parent);
    watch(child);
    const told: unknown[] = [];
    child.signal.addEventListener("abort", () => told.push(child.signal.reason, child.err()));
    while (child.err() === undefined) continue;
    const err = child.err();
    expect(cause(child)).toBe(parent.error);
    expect(told).toEqual([err, err]);
    expect(sibling.err()).toBe(err);
    expect(child.signal.reason).toBe(err);
  });

  test("has the parent's error as its cause if that is not a context error", () => {
    const parent = new Theirs();
    const child = withCancel(parent);
    watch(child);
    const plain = new Error("plain");
    parent.end(plain as unknown as ContextError);
    expect(isCanceled(child.err())).toBe(true);
    expect(cause(child)).toBe(plain);
  });

  test("has the parent's deadline, and ends when the parent's err() says so", () => {
    const clock = new ManualClock();
    using _ = useClock(clock);
    const parent = new Theirs();
    parent.date = new Date(clock.wall() + 10);
    const child = withTimeout(parent, 20);
    watch(child);
    expect(child.deadline()).toEqual(parent.date);
    expect(clock.timers).toBe(0);
    clock.advance(15);
    expect(child.err()).toBeUndefined();
    parent.end(new DeadlineExceededError());
    expect(child.err()).toBe(parent.error);
  });

  test("behaves the same if wrappers that pass everything on lie between", () => {
    const clock = new ManualClock();
    using _ = useClock(clock);
    const root = withTimeout(background(), 10, { cause: "slow" });
    let ctx: Context = withValue(root, K, "v");
    for (let i = 0; i < 20; i++) ctx = foreignContext(i % 2 ? withCancel(ctx) : ctx);
    const child = withTimeout(ctx, 100);
    watch(child);
    expect(child.value(K)).toBe("v");
    clock.advance(10);
    expect(child.err()).toBe(root.err());
    expect(clock.timers).toBe(0);
  });

  test("ends with the end that happened first, also through a wrapper", () => {
    const clock = new ManualClock();
    using _ = useClock(clock);
    const root = withCancel(background());
    const child = withTimeout(foreignContext(root), 10, { cause: "slow" });
    watch(child);
    clock.block(11);
    root.cancel();
    clock.block(5);
    expect(isDeadlineExceeded(child.err())).toBe(true);
  });
});

describe("listeners on foreign contexts", () => {
  test("are one listener for all children, from the first watch to the last", () => {
    const parent = new Theirs();
    const children = [1, 2, 3].map(() => withCancel(parent));
    expect(parent.listeners).toBe(0);
    const stops = children.map((ctx) => afterFunc(ctx, () => undefined));
    expect(parent.listeners).toBe(1);
    for (const stop of stops) stop();
    expect(parent.listeners).toBe(0);
    for (const ctx of children) void ctx.signal;
    expect(parent.listeners).toBe(1);
    for (const ctx of children) ctx.cancel();
    expect(parent.listeners).toBe(0);
  });

  test("are replaced by the context's afterFunc if it has one, and that callback is removed", () => {
    const parent = new Offering();
    const a = withCancel(parent);
    const b = withCancel(parent);
    void a.signal;
    void b.signal;
    expect([parent.registered.size, parent.listeners]).toEqual([1, 0]);
    a.cancel();
    expect(parent.registered.size).toBe(1);
    b.cancel();
    expect(parent.registered.size).toBe(0);
  });

  test("are not needed for a wrapper that passes everything on", () => {
    const root = withCancel(background());
    const { signal } = root;
    let listeners = 0;
    signal.addEventListener = () => void listeners++;
    const child = withCancel(foreignContext(foreignContext(withValue(root, K, ""))));
    let aborted = false;
    child.signal.addEventListener("abort", () => (aborted = true));
    expect(listeners).toBe(0);
    root.cancel();
    expect(aborted).toBe(true);
  });

  test("do not watch the inner context of one that has its own signal", () => {
    const clock = new ManualClock();
    using _ = useClock(clock);
    const root = withTimeout(background(), 10);
    const own = new Theirs(root);
    const stop = afterFunc(withCancel(own), () => undefined);
    expect(clock.timers).toBe(0); // `root` is not watched
    stop();
  });

  test("notice a signal that aborted just before they were added", async () => {
    const parent = new Theirs();
    parent.controller.abort();
    const child = withCancel(parent); // err() says nothing yet
    parent.err = () => undefined;
    let told = 0;
    afterFunc(child, () => told++);
    expect(child.signal.aborted).toBe(true);
    await flush();
    expect(told).toBe(1);
  });

  test("may be an afterFunc that calls back at once", async () => {
    const parent = new Offering();
    parent.afterFunc = (fn) => {
      parent.error = new CanceledError();
      fn();
      return () => true;
    };
    const told: string[] = [];
    const child = withCancel(withCancel(parent));
    afterFunc(child, () => told.push("callback"));
    merge(background(), child).signal.addEventListener("abort", () => told.push("merge"));
    await flush();
    expect(child.signal.reason).toBe(parent.error);
    expect(told).toEqual(["callback"]);
    expect(merge(background(), parent).err()).toBe(parent.error);
  });

  test("may be an afterFunc that throws, whose error goes to the code that watches and leaves no watch", () => {
    const clock = new ManualClock();
    using _ = useClock(clock);
    const parent = new Offering();
    const working = parent.afterFunc.bind(parent);
    parent.afterFunc = () => {
      throw new Error("not now");
    };
    const child = withCancel(withTimeout(parent, 10));
    expect(() => child.signal).toThrow("not now");
    expect(clock.timers).toBe(0);
    parent.afterFunc = working;
    void child.signal;
    expect([clock.timers, parent.registered.size]).toEqual([1, 1]);
    parent.end();
    expect(child.signal.aborted).toBe(true);
    expect(clock.timers).toBe(0);
  });

  test("may be an afterFunc whose stop throws, which affects neither the canceler nor the listeners", async () => {
    const errors = await reported(() => {
      const parent = new Offering();
      parent.afterFunc = () => () => {
        throw new Error("stop");
      };
      const child = withCancel(parent);
      const both = merge(child, withCancel(parent));
      let told = 0;
      both.signal.addEventListener("abort", () => told++);
      expect(() => child.cancel()).not.toThrow();
      expect(told).toBe(1);
    });
    expect(errors).toHaveLength(1);
  });

  test("may remove callbacks during a push, and all others are still called", async () => {
    const root = withCancel(background());
    const wrapper = foreignContext(root);
    const told: string[] = [];
    const below = withCancel(wrapper);
    void below.signal;
    const joined = merge(withCancel(background()), root);
    joined.signal.addEventListener("abort", () => told.push("joined"));
    afterFunc(root, () => told.push("root"));
    wrapper.err = () => {
      if (root.err() !== undefined) joined.cancel();
      return root.err();
    };
    root.cancel();
    await flush();
    expect(told).toEqual(["joined", "root"]);
  });
});

describe("a foreign context whose signal aborts while its err() returns undefined", () => {
  const why = new Error("why");
  class Silent extends Theirs {
    override err(): undefined {
      return undefined;
    }
  }
  const watched = watchings.filter(([how]) => how !== "unwatched");

  test.each(watched)(
    "ends a child that is %s, before the abort or after it",
    async (_how, watch) => {
      for (const isBefore of [true, false]) {
        const parent = new Silent();
        const child = withCancel(withTimeout(parent, 1e6));
        if (isBefore) watch(child);
        parent.controller.abort(why);
        if (!isBefore) watch(child);
        let told = 0;
        afterFunc(child, () => told++);
        await flush();
        expect([isCanceled(child.err()), cause(child), told]).toEqual([true, why, 1]);
        expect(parent.listeners).toBe(0);
      }
    },
  );

  test.each(watched)(
    "has ended a child that is %s if an earlier listener calls err()",
    (_how, watch) => {
      const parent = new Silent();
      const child = withCancel(parent);
      let seen: unknown;
      parent.signal.addEventListener("abort", (event) => {
        seen = cause(child);
        event.stopImmediatePropagation();
      });
      watch(child);
      parent.controller.abort(why);
      expect([seen, cause(child)]).toEqual([why, why]);
    },
  );

  test.each(watched)(
    "ends a child that is %s if it wraps a context of this package",
    async (_how, watch) => {
      const root = withCancel(background());
      const child = withCancel({
        ...foreignContext(root),
        signal: root.signal,
        err: () => undefined,
      });
      watch(child);
      let told = 0;
      afterFunc(child, () => told++);
      root.cancel(why);
      await flush();
      expect([cause(child), told]).toEqual([why, 1]);
    },
  );

  test("does not end a child that is unwatched, and the signal is not read", () => {
    const parent = new Silent();
    let reads = 0;
    Object.defineProperty(parent, "signal", {
      get: () => {
        reads++;
        return parent.controller.signal;
      },
    });
    parent.controller.abort(why);
    const child = withCancel(parent);
    expect([child.err(), reads]).toEqual([undefined, 0]);
    void child.signal;
    expect([cause(child), reads > 0]).toEqual([why, true]);
  });
});

describe("two copies of the package", () => {
  let there: Awaited<ReturnType<typeof secondCopy>>;
  beforeAll(async () => {
    there = await secondCopy();
  });

  describe.each(watchings)("%s", (_how, watch) => {
    test.each([
      ["theirs below ours", () => [here, there]],
      ["ours below theirs", () => [there, here]],
    ])("share end, error and cause at once (%s)", (_name, pick) => {
      const [above, below] = pick() as [typeof here, typeof here];
      const why = new Error("why");
      const parent = above.withCancel(above.withValue(above.background(), K, "v"));
      const child = below.withTimeout(parent, 1e6);
      const grandchild = above.withCancel(child);
      watch(grandchild);
      expect(grandchild.value(K)).toBe("v");
      expect(String(grandchild)).toMatch(
        /^context\.Background\.WithValue\(k, v\)\.WithCancel\.WithDeadline\(.*\)\.WithCancel$/,
      );
      parent.cancel(why);
      expect(child.err()).toBe(parent.err());
      expect(grandchild.err()).toBe(parent.err());
      expect(grandchild.signal.reason).toBe(parent.err());
      for (const copy of [here, there]) {
        expect(copy.cause(grandchild)).toBe(why);
        expect(copy.isCanceled(grandchild.err())).toBe(true);
        expect(copy.isDeadlineExceeded(grandchild.err())).toBe(false);
        expect(copy.isContextError(new Error("x", { cause: child.err() }))).toBe(true);
      }
    });

    test("agree that the end that happened first counts", () => {
      const clock = new ManualClock();
      using _ = useClock(clock);
      using __ = there.useClock(clock);
      for (const [above, below] of [
        [here, there],
        [there, here],
      ] as const) {
        const parent = above.withCancel(above.background());
        const child = below.withTimeout(parent, 5);
        const later = below.withTimeout(parent, 40);
        watch(child);
        watch(later);
        clock.block(10);
        parent.cancel();
        clock.block(40);
        expect(isDeadlineExceeded(child.err())).toBe(true);
        expect(isCanceled(later.err())).toBe(true);
      }
    });
  });
});

describe.each(watchings)("a foreign context whose err() throws, %s,", (_how, watch) => {
  test.each([
    ["an error", new Error("broken")],
    ["undefined", undefined],
  ])("ends its children, with %s as the cause", (_what, thrown) => {
    const parent = new Theirs();
    const child = withCancel(parent);
    watch(child);
    parent.err = () => {
      // eslint-disable-next-line @typescript-eslint/only-throw-error -- any value can be thrown
      throw thrown;
    };
    expect(isCanceled(child.err())).toBe(true);
    if (thrown === undefined) expect(String(cause(child))).toContain("threw undefined");
    else expect(cause(child)).toBe(thrown);
    expect(withCancel(parent).err()).toBe(child.err());
  });

  test("does not hinder the cancellation of its children", async () => {
    const parent = new Theirs();
    const child = withCancel(parent);
    const below = withCancel(child);
    watch(below);
    parent.err = () => {
      throw new Error("broken");
    };
    const errors = await reported(() => {
      child.cancel();
      expect(below.err()).toBeDefined();
      parent.controller.abort();
    });
    expect(errors).toEqual([]);
  });

  test("ends its children when its signal aborts", async () => {
    const parent = new Theirs();
    const child = withCancel(parent);
    watch(child);
    parent.err = () => {
      throw new Error("broken");
    };
    const errors = await reported(() => {
      parent.controller.abort();
    });
    expect(errors).toEqual([]);
    expect(child.err()).toBeDefined();
  });
});

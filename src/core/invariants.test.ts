/** The invariants of tree.ts by number, for watched and unwatched contexts. */
import { describe, expect, test } from "vitest";
import { flush, watchings } from "../../test/support.ts";
import {
  afterFunc,
  background,
  cause,
  DeadlineExceededError,
  isCanceled,
  isDeadlineExceeded,
  key,
  merge,
  withCancel,
  withDeadline,
  withoutCancel,
  withSignal,
  withTimeout,
  withValue,
  type CancelableContext,
  type Context,
} from "../index.ts";
import { ManualClock, useClock } from "../testing/index.ts";

const K = key<string>("k");

describe.each(watchings)("invariants of a context that is %s", (_how, watch) => {
  const watched = <C extends Context>(ctx: C): C => {
    watch(ctx);
    return ctx;
  };

  test("1: the first cancellation decides the error and the cause", () => {
    const ctx = watched(withCancel(background()));
    const first = new Error("first");
    ctx.cancel(first);
    const err = ctx.err();
    ctx.cancel(new Error("second"));
    ctx[Symbol.dispose]();
    expect(ctx.err()).toBe(err);
    expect(err?.cause).toBe(first);
    expect(cause(ctx)).toBe(first);
    expect(ctx.signal.reason).toBe(err);
  });

  test("1: a cancel after the deadline changes nothing, even if err() was not called in between", () => {
    const clock = new ManualClock();
    using _ = useClock(clock);
    const ctx = watched(withTimeout(background(), 10, { cause: "late" }));
    clock.block(10);
    ctx.cancel("canceled");
    expect(ctx.err()).toBeInstanceOf(DeadlineExceededError);
    expect(cause(ctx)).toBe("late");
  });

  test("1: a deadline that passes after the cancel changes nothing", () => {
    const clock = new ManualClock();
    using _ = useClock(clock);
    const ctx = watched(withTimeout(background(), 10));
    ctx.cancel();
    const err = ctx.err();
    clock.advance(100);
    expect(isCanceled(err)).toBe(true);
    expect(ctx.err()).toBe(err);
  });

  test("1: a parent's cancel does not change the end of a child whose deadline passed before", () => {
    const clock = new ManualClock();
    using _ = useClock(clock);
    const parent = withCancel(background());
    const child = watched(withTimeout(parent, 10, { cause: "slow" }));
    const grandchild = watched(withCancel(child));
    clock.block(11);
    parent.cancel();
    for (const ctx of [child, grandchild]) {
      expect(isDeadlineExceeded(ctx.err())).toBe(true);
      expect(cause(ctx)).toBe("slow");
    }
    expect(child.err()).toBe(grandchild.err());
    expect(isCanceled(parent.err())).toBe(true);
  });

  test("2: inside any listener, every context of the subtree is done and its signal is aborted", () => {
    const root = withCancel(background());
    const nodes: Context[] = [root];
    for (let i = 0; i < 40; i++) {
      const parent = nodes[i >> 1] as Context;
      const kinds = [withCancel(parent), withTimeout(parent, 1e6), withValue(parent, K, "v")];
      nodes.push(watched(kinds[i % 3] as Context));
    }
    let seen = 0;
    for (const listening of [nodes[0], nodes[20], nodes[40]] as Context[]) {
      listening.signal.addEventListener("abort", () => {
        for (const ctx of nodes) {
          expect(ctx.err()).toBe(root.err());
          expect(ctx.signal.aborted).toBe(true);
          expect(ctx.signal.reason).toBe(root.err());
          seen++;
        }
      });
    }
    root.cancel();
    expect(seen).toBe(3 * nodes.length);
  });

  test("3: when cancel() returns, every context of the subtree is done and every listener has run", async () => {
    const order: string[] = [];
    const root = watched(withCancel(background()));
    const listen = (ctx: Context, name: string): void => {
      ctx.signal.addEventListener("abort", () => order.push(name));
      afterFunc(ctx, () => order.push(`${name} after`));
    };
    const child = watched(withCancel(root));
    const grandchild = watched(withValue(withTimeout(child, 1e6), K, ""));
    listen(grandchild, "grandchild");
    listen(root, "root 1");
    listen(child, "child");
    listen(root, "root 2");
    root.cancel();
    expect(order).toEqual(["root 1", "root 2", "child", "grandchild"]);
    await flush();
    const after = order.slice(4);
    expect(after).toEqual(["root 1 after", "root 2 after", "child after", "grandchild after"]);
  });

  test("4: a parent's earlier deadline wins, with the parent's error and cause", () => {
    const clock = new ManualClock();
    using _ = useClock(clock);
    const parent = watched(withTimeout(background(), 10, { cause: "parent" }));
    const child = watched(withTimeout(parent, 20, { cause: "child" }));
    expect(child.deadline()).toEqual(parent.deadline());
    clock.advance(10);
    expect(child.err()).toBe(parent.err());
    expect(cause(child)).toBe("parent");
  });

  test("4: a child's deadline is its own if the parent has none", () => {
    const clock = new ManualClock();
    using _ = useClock(clock);
    const parent = watched(withTimeout(background(), 10));
    const free = watched(withTimeout(withoutCancel(parent), 20));
    clock.advance(10);
    expect(parent.err()).toBeDefined();
    expect(free.err()).toBeUndefined();
    clock.advance(10);
    expect(isDeadlineExceeded(free.err())).toBe(true);
  });

  test("4: every child of a done parent is done at birth with the parent's error", () => {
    const parent = watched(withCancel(background()));
    parent.cancel(new Error("why"));
    const children = [
      withCancel(parent),
      withTimeout(parent, -1, { cause: "own" }),
      withTimeout(parent, 1_000),
      withDeadline(parent, 0),
      withValue(parent, K, ""),
      withSignal(parent, AbortSignal.abort("other")),
      merge(parent, withTimeout(background(), 0)),
    ];
    for (const child of children) {
      expect(child.err()).toBe(parent.err());
      expect(child.signal.aborted).toBe(true);
      expect(child.signal.reason).toBe(parent.err());
    }
    expect(withoutCancel(parent).err()).toBeUndefined();
  });

  test.each([
    ["cancel", (ctx: CancelableContext) => void ctx.cancel()],
    ["dispose", (ctx: CancelableContext) => void ctx[Symbol.dispose]()],
    ["parent", (_: CancelableContext, parent: CancelableContext) => void parent.cancel()],
    [
      "deadline",
      (_: CancelableContext, __: CancelableContext, clock: ManualClock) => void clock.advance(50),
    ],
  ] as const)("5: no timer is left after the end (%s)", (_name, end) => {
    const clock = new ManualClock();
    using _ = useClock(clock);
    const parent = withCancel(background());
    const ctx = watched(withTimeout(parent, 50));
    watched(withTimeout(ctx, 20));
    watched(withDeadline(ctx, clock.wall() + 30));
    end(ctx, parent, clock);
    expect(clock.timers).toBe(0);
    expect(ctx.err()).toBeDefined();
  });

  test("6: a deadline beyond 2³¹ ms passes at its time", () => {
    const clock = new ManualClock();
    using _ = useClock(clock);
    const month = 30 * 86_400_000;
    const ctx = watched(withTimeout(background(), month));
    clock.advance(month - 1);
    expect(ctx.err()).toBeUndefined();
    clock.advance(1);
    expect(isDeadlineExceeded(ctx.err())).toBe(true);
    expect(clock.timers).toBe(0);
  });

  test("6: a deadline that has passed is done at birth", () => {
    const clock = new ManualClock();
    using _ = useClock(clock);
    for (const ctx of [
      withTimeout(background(), 0),
      withTimeout(background(), -1e12),
      withTimeout(background(), -Infinity),
      withDeadline(background(), new Date(0)),
      withDeadline(background(), clock.wall()),
      withDeadline(background(), -Infinity),
    ]) {
      expect(isDeadlineExceeded(watched(ctx).err())).toBe(true);
      expect(ctx.signal.aborted).toBe(true);
    }
    expect(clock.timers).toBe(0);
  });

  test("8: values pass to every kind of child, and to nothing else", () => {
    const parent = withValue(background(), K, "v");
    const children = [
      withCancel(parent),
      withTimeout(parent, 10),
      withoutCancel(parent),
      withSignal(parent, new AbortController().signal),
      merge(parent, withValue(background(), K, "other")),
    ];
    for (const child of children) expect(watched(child).value(K)).toBe("v");
    expect(merge(background(), parent).value(K)).toBeUndefined();
  });
});

test("5: a callback that is removed leaves no timer", () => {
  const clock = new ManualClock();
  using _ = useClock(clock);
  const ctx = withTimeout(withTimeout(background(), 100), 50);
  const below = withCancel(withValue(ctx, K, ""));
  const stops = [1, 2, 3].map(() => afterFunc(below, () => undefined));
  expect(clock.timers).toBe(2); // one for each deadline above
  for (const stop of stops) expect(stop()).toBe(true);
  expect(clock.timers).toBe(0);
  clock.advance(50);
  expect(isDeadlineExceeded(below.err())).toBe(true);
});

test("7: an unwatched context has no timer and no link, however often err() is called", () => {
  const clock = new ManualClock();
  using _ = useClock(clock);
  const parent = withCancel(background());
  const ctx = withTimeout(withValue(parent, K, ""), 10);
  ctx.err();
  ctx.deadline();
  ctx.value(K);
  String(ctx);
  JSON.stringify(ctx);
  cause(ctx);
  expect(clock.timers).toBe(0);
  void ctx.signal;
  expect(clock.timers).toBe(1);
});

test("7: only the earliest of nested deadlines has a timer", () => {
  const clock = new ManualClock();
  using _ = useClock(clock);
  const outer = withTimeout(background(), 10);
  let ctx: Context = outer;
  for (let i = 0; i < 20; i++) ctx = withTimeout(ctx, 20 + i);
  void ctx.signal;
  expect(clock.timers).toBe(1);
});

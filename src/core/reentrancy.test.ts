/** Listeners may do anything: derive, cancel, throw and read signals. */
import { describe, expect, test } from "vitest";
import { flush, reported, watchings } from "../../test/support.ts";
import {
  afterFunc,
  background,
  isCanceled,
  merge,
  withCancel,
  withTimeout,
  type CancelableContext,
  type Context,
} from "../index.ts";
import { ManualClock, useClock } from "../testing/index.ts";

const on = (ctx: Context, fn: () => void): void => {
  ctx.signal.addEventListener("abort", fn);
};

describe.each(watchings)("inside a listener, %s", (_how, watch) => {
  test("a child of the context that is ending is done at birth with its error", async () => {
    const parent = withCancel(background());
    const between = withCancel(parent);
    watch(between);
    const made: Context[] = [];
    const derive = (): void => {
      for (const from of [parent, between]) made.push(withCancel(from), withTimeout(from, 5));
    };
    on(parent, derive);
    afterFunc(parent, derive);
    parent.cancel("why");
    await flush();
    expect(made).toHaveLength(8);
    for (const ctx of made) {
      expect(ctx.err()).toBe(parent.err());
      expect(ctx.signal.reason).toBe(parent.err());
    }
  });

  test("a cancel of a child, a parent and a sibling ends each of them once, with the right error", () => {
    const root = withCancel(background());
    const parent = withCancel(root);
    const children = [1, 2, 3].map(() => withCancel(parent));
    const calls = new Map<Context, number>();
    for (const ctx of [root, parent, ...children]) {
      watch(ctx);
      on(ctx, () => calls.set(ctx, (calls.get(ctx) ?? 0) + 1));
    }
    on(children[1] as Context, () => {
      children[0]?.cancel("sibling");
      root.cancel("root");
      children[2]?.cancel("too late");
      parent.cancel("too late");
    });
    children[1]?.cancel("first");
    const causes = [children[1], children[0], parent, children[2], root].map(
      (c) => c?.err()?.cause,
    );
    expect(causes).toEqual(["first", "sibling", "root", "root", "root"]);
    expect([...calls.values()]).toEqual([1, 1, 1, 1, 1]);
  });

  test("contexts of one tree that cancel each other in any order end once each", () => {
    const nodes: CancelableContext[] = [withCancel(background())];
    for (let i = 1; i < 60; i++) nodes.push(withCancel(nodes[(i * 7) % i] as Context));
    let calls = 0;
    for (const [i, ctx] of nodes.entries()) {
      watch(ctx);
      on(ctx, () => {
        calls++;
        nodes[(i * 31 + 17) % nodes.length]?.cancel(i);
      });
    }
    nodes[29]?.cancel();
    nodes[0]?.cancel();
    expect(calls).toBe(nodes.length);
  });

  test("a merge whose sources end each other calls its listener once", () => {
    const a = withCancel(background());
    const b = withCancel(background());
    const both = merge(a, b);
    watch(both);
    let calls = 0;
    on(a, () => b.cancel("b"));
    on(both, () => calls++);
    a.cancel("a");
    expect(both.err()).toBe(a.err());
    expect(calls).toBe(1);
  });
});

test("an abort listener that throws affects neither the canceler nor other listeners", async () => {
  const thrown = new Error("thrown");
  let ran = 0;
  const errors = await reported(() => {
    const ctx = withCancel(background());
    const child = withCancel(ctx);
    on(ctx, () => {
      throw thrown;
    });
    on(ctx, () => ran++);
    on(child, () => ran++);
    ctx.cancel();
    expect(ran).toBe(2);
  });
  expect(errors).toEqual([thrown]);
});

test("a chain of listeners that read each other's signals does not overflow the stack", () => {
  const root = withCancel(background());
  const nodes = Array.from({ length: 20_000 }, () => withCancel(root));
  let calls = 0;
  for (const [i, ctx] of nodes.entries()) {
    on(ctx, () => {
      calls++;
      void nodes[i + 1]?.signal.aborted;
    });
  }
  root.cancel();
  expect(calls).toBe(nodes.length);
  expect(nodes.every((ctx) => ctx.signal.aborted)).toBe(true);
});

test("a signal that is created inside nested listeners is aborted, at any depth", () => {
  const root = withCancel(background());
  const late = withCancel(root);
  const nodes = Array.from({ length: 200 }, () => withCancel(root));
  const seen: boolean[] = [];
  for (const [i, ctx] of nodes.entries()) {
    on(ctx, () => {
      void nodes[i + 1]?.signal;
      seen.push(withCancel(late).signal.aborted);
    });
  }
  root.cancel();
  expect(seen).toHaveLength(200);
  expect(seen.every(Boolean)).toBe(true);
  expect(late.signal.aborted).toBe(true);
});

test("a passed deadline that err() finds is pushed in a microtask, and err() runs no listener", async () => {
  const clock = new ManualClock();
  using _ = useClock(clock);
  const ctx = withTimeout(background(), 10);
  const child = withCancel(ctx);
  const order: string[] = [];
  on(ctx, () => order.push("ctx"));
  on(child, () => order.push("child"));
  clock.block(10);
  expect(child.err()?.message).toBe("context deadline exceeded");
  expect(order).toEqual([]);
  await flush();
  expect(order).toEqual(["ctx", "child"]);
  expect(clock.timers).toBe(0);
});

test("a cancel between err() and that microtask pushes the end at once, and only once", async () => {
  const clock = new ManualClock();
  using _ = useClock(clock);
  const ctx = withTimeout(background(), 10);
  let calls = 0;
  on(ctx, () => calls++);
  clock.block(10);
  ctx.err();
  ctx.cancel();
  expect(calls).toBe(1);
  await flush();
  expect(calls).toBe(1);
  expect(isCanceled(ctx.err())).toBe(false);
});

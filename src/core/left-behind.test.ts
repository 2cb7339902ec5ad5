/** Invariants 5 and 7: what the garbage collector finds. */
import { describe, expect, test } from "vitest";
import { collected, heap } from "../../test/support.ts";
import { scopeOf } from "./foreign.ts";
import { isWatched } from "./tree.ts";
import {
  afterFunc,
  background,
  key,
  merge,
  withCancel,
  withSignal,
  withTimeout,
  withValue,
  type CancelableContext,
  type Context,
} from "../index.ts";

const K = key<object>("k");

/** References to what a dropped context could leave behind: its handle, its value, its callback. */
function drop(
  parent: Context,
  use: (ctx: CancelableContext, held: object) => void,
): WeakRef<object>[] {
  const value = {};
  const held = {};
  const ctx = withTimeout(withValue(parent, K, value), 1e6);
  use(ctx, held);
  return [new WeakRef(ctx), new WeakRef(value), new WeakRef(held)];
}

const gone = (refs: WeakRef<object>[]) => () => refs.every((ref) => ref.deref() === undefined);

describe("a long-lived parent", () => {
  test.each<[string, (ctx: CancelableContext, held: object) => void]>([
    ["asked and forgotten", (ctx) => void [ctx.err(), ctx.deadline(), ctx.value(K), String(ctx)]],
    ["derived from and forgotten", (ctx) => void withCancel(withTimeout(ctx, 5e5)).err()],
    ["watched and unwatched", (ctx, held) => void afterFunc(ctx, () => held)()],
    [
      "watched through its child and unwatched",
      (ctx, held) => void afterFunc(withCancel(ctx), () => held)(),
    ],
    [
      "watched and canceled",
      (ctx, held) => {
        ctx.signal.addEventListener("abort", () => held);
        afterFunc(ctx, () => held);
        ctx.cancel(held);
      },
    ],
    [
      "bound to a signal and disposed of",
      (ctx, held) => {
        using both = withSignal(ctx, new AbortController().signal);
        both.signal.addEventListener("abort", () => held);
      },
    ],
    [
      "bound to a signal and ended by it",
      (ctx, held) => {
        const controller = new AbortController();
        const both = withSignal(ctx, controller.signal);
        both.signal.addEventListener("abort", () => held);
        afterFunc(both, () => held);
        controller.abort();
      },
    ],
    [
      "merged with another context and ended by that one",
      (ctx, held) => {
        const other = withCancel(background());
        const both = merge(ctx, other);
        both.signal.addEventListener("abort", () => held);
        afterFunc(both, () => held);
        other.cancel();
      },
    ],
    [
      "merged into another context and ended by that one",
      (ctx, held) => {
        const other = withCancel(background());
        const both = merge(other, ctx);
        afterFunc(both, () => held);
        other.cancel();
      },
    ],
  ])("retains nothing of a child that was %s", async (_how, use) => {
    const parent = withCancel(background());
    const keep = afterFunc(parent, () => undefined);
    const refs = drop(parent, use);
    expect(await collected(gone(refs))).toBe(true);
    expect(parent.err()).toBeUndefined();
    keep();
  });

  test.each([0, 1])(
    "is not watched any more when a merged context ends with the other one, if it is at place %d",
    (place) => {
      const parent = withCancel(background());
      const other = withCancel(background());
      const both = place === 0 ? merge(parent, other) : merge(other, parent);
      expect(isWatched(scopeOf(parent)!)).toBe(true);
      other.cancel();
      expect(both.err()).toBe(other.err());
      expect(isWatched(scopeOf(parent)!)).toBe(false);
    },
  );

  test("retains the scope of a forgotten child that is watched, and neither its handle nor its values", async () => {
    const parent = withCancel(background());
    const refs = drop(parent, (ctx) => void ctx.signal);
    expect(await collected(gone(refs))).toBe(true);
    expect(parent.err()).toBeUndefined();
  });

  test("retains nothing of 100,000 forgotten children that are unwatched or whose callback was removed", async () => {
    const parent = withCancel(background());
    const keep = afterFunc(parent, () => undefined);
    const use = (n: number): void => {
      for (let i = 0; i < n; i++) {
        withTimeout(parent, 1e6).err();
        afterFunc(withCancel(parent), () => parent)();
      }
    };
    use(1_000);
    const before = heap();
    use(100_000);
    // One byte for each child would be 100 kB. The smallest object that could be left behind, a
    // link, would be 2.4 MB.
    expect(await collected(() => heap() - before < 1_000_000)).toBe(true);
    keep();
  });
});

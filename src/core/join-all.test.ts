/** The scope that ends with the last of several. The model test derives it at random, too. */
import { describe, expect, test } from "vitest";
import { collected, flush, heap, watchings } from "../../test/support.ts";
import { Theirs } from "../../test/support/foreign-context.ts";
import {
  afterFunc,
  background,
  CanceledError,
  cause,
  isCanceled,
  isDeadlineExceeded,
  merge,
  remaining,
  withCancel,
  withTimeout,
  type Context,
} from "../index.ts";
import { ManualClock, useClock } from "../testing/index.ts";
import { scopeOf } from "./foreign.ts";
import { ScopedContext } from "./handle.ts";
import { JoinAllScope } from "./join-all.ts";
import { isWatched } from "./tree.ts";

function joinAll(...sources: Context[]) {
  const scope = new JoinAllScope("JoinAll");
  const ctx = new ScopedContext(background(), scope, undefined);
  const add = (source: Context): boolean => scope.add(scopeOf(source));
  for (const source of sources) add(source);
  return { ctx, add };
}

describe.each(watchings)("a context that ends with the last of its sources, %s,", (_how, watch) => {
  test("ends when the last source ends, with its error (invariants 1 and 2)", () => {
    const sources = [1, 2, 3].map(() => withCancel(background()));
    const { ctx } = joinAll(...sources);
    watch(ctx);
    const child = withCancel(ctx);
    for (const i of [1, 0]) sources[i]!.cancel();
    expect(ctx.err()).toBeUndefined();
    expect(child.err()).toBeUndefined();
    sources[2]!.cancel(new Error("the last"));
    expect(ctx.err()).toBe(sources[2]!.err());
    expect(child.err()).toBe(ctx.err());
    expect(cause(ctx)).toEqual(new Error("the last"));
    expect(ctx.signal.aborted).toBe(true);
  });

  test("has no deadline, and is done by the clock alone when all sources are", () => {
    const clock = new ManualClock();
    using _ = useClock(clock);
    const { ctx } = joinAll(withTimeout(background(), 20), withTimeout(background(), 10));
    watch(ctx);
    const child = withTimeout(ctx, 1_000);
    expect(ctx.deadline()).toBeUndefined();
    expect(remaining(ctx)).toBe(Infinity);
    clock.block(19);
    expect(ctx.err()).toBeUndefined();
    clock.block(1);
    expect(isDeadlineExceeded(child.err())).toBe(true);
    expect(child.err()).toBe(ctx.err());
    expect(remaining(ctx)).toBe(0);
  });

  test.each([false, true])(
    "ends with the source that ended last, in whatever order the sources are asked (%s)",
    (isReversed) => {
      const clock = new ManualClock();
      using _ = useClock(clock);
      const first = withTimeout(background(), 20, { cause: "first" });
      const second = withTimeout(background(), 10, { cause: "second" });
      const third = withTimeout(background(), 20, { cause: "third" });
      const { ctx, add } = joinAll(first, second, third);
      watch(ctx);
      clock.block(20);
      for (const source of isReversed ? [third, second, first] : [first, second, third])
        source.err();
      expect(add(background())).toBe(false);
      expect(cause(ctx)).toBe("third"); // at the same time as the first, which was added earlier
    },
  );

  test("counts a source that is added again as added last", () => {
    const clock = new ManualClock();
    using _ = useClock(clock);
    const [first, second] = [1, 2].map((cause) => withTimeout(background(), 10, { cause }));
    const { ctx, add } = joinAll(first!, second!);
    watch(ctx);
    add(first!);
    clock.block(10);
    expect(cause(ctx)).toBe(1);
  });

  test("counts a cancellation as later than a deadline at the same time", () => {
    const clock = new ManualClock();
    using _ = useClock(clock);
    const canceled = withCancel(background());
    const { ctx } = joinAll(canceled, withTimeout(background(), 10));
    watch(ctx);
    clock.block(10);
    canceled.cancel();
    expect(isCanceled(ctx.err())).toBe(true);
  });

  test("ended at the time of its last source, so an earlier deadline of a child counts", () => {
    const clock = new ManualClock();
    using _ = useClock(clock);
    const { ctx } = joinAll(withTimeout(background(), 20, { cause: "source" }));
    const [early, late] = [10, 30].map((ms) => withTimeout(ctx, ms, { cause: "child" }));
    watch(early!);
    watch(late!);
    clock.block(40);
    expect(cause(late!)).toBe("source");
    expect(cause(early!)).toBe("child");
  });

  test("takes a source while it is live, and none afterwards", () => {
    const first = withCancel(background());
    const { ctx, add } = joinAll(first);
    watch(ctx);
    const second = withCancel(background());
    expect(add(second)).toBe(true);
    first.cancel();
    expect(ctx.err()).toBeUndefined();
    second.cancel();
    const { signal } = ctx;
    expect(signal.reason).toBe(second.err());
    expect(add(withCancel(background()))).toBe(false);
    expect(ctx.err()).toBe(second.err());
  });

  test("is live without sources, and ends only by itself with one that cannot end", () => {
    const source = withCancel(background());
    const { ctx, add } = joinAll();
    watch(ctx);
    expect(ctx.err()).toBeUndefined();
    expect([add(source), add(background()), add(withCancel(source))]).toEqual([true, true, true]);
    source.cancel();
    expect(ctx.err()).toBeUndefined();
    ctx.cancel();
    expect(isCanceled(ctx.err())).toBe(true);
  });

  test("leaves nothing on its sources after its end (invariant 5)", () => {
    const clock = new ManualClock();
    using _ = useClock(clock);
    const sources = [withTimeout(background(), 50), withTimeout(background(), 60)];
    const { ctx, add } = joinAll(sources[0]!);
    watch(ctx);
    add(sources[1]!);
    ctx.cancel();
    expect(clock.timers).toBe(0);
    for (const source of sources) expect(isWatched(scopeOf(source)!)).toBe(false);
  });

  test("does not wait for itself if a source lies below it", () => {
    const source = withCancel(background());
    const { ctx, add } = joinAll(source);
    watch(ctx);
    const below = merge(background(), withCancel(ctx));
    expect(add(below)).toBe(true);
    source.cancel();
    expect([ctx.err(), below.err()]).toEqual([undefined, undefined]);
    ctx.cancel();
    expect(below.err()).toBe(ctx.err());
  });

  test("is asked once if a source lies below it, and not in a circle", () => {
    const source = withCancel(background());
    const { ctx, add } = joinAll(source);
    watch(ctx);
    let asked = 0;
    const wrapper: Context = {
      deadline: () => undefined,
      err: () => {
        asked++;
        return ctx.err();
      },
      value: (k) => k.default,
      get signal() {
        return ctx.signal;
      },
    };
    add(wrapper);
    source.cancel();
    asked = 0;
    expect(ctx.err()).toBeUndefined();
    expect(asked).toBeLessThan(5);
    ctx.cancel();
  });

  test("ends at once if its only source has ended by the clock when it is added", () => {
    const clock = new ManualClock();
    using _ = useClock(clock);
    const { ctx, add } = joinAll();
    watch(ctx);
    const source = withTimeout(background(), 10);
    clock.block(10);
    expect(add(source)).toBe(false);
    expect(ctx.err()).toBe(source.err());
  });

  test("is live while the err() of only one source throws", () => {
    const theirs = new Theirs();
    const good = withCancel(background());
    const { ctx } = joinAll(theirs, good);
    watch(ctx);
    theirs.breaks = "err";
    expect(ctx.err()).toBeUndefined();
    good.cancel();
    expect(ctx.err()).toBeDefined();
  });
});

describe("a watched context that ends with the last of its sources", () => {
  test("is pushed by the timer of the last deadline", async () => {
    const clock = new ManualClock();
    using _ = useClock(clock);
    const { ctx, add } = joinAll(withTimeout(background(), 10));
    const { signal } = ctx;
    let told: unknown;
    afterFunc(ctx, (err) => (told = err));
    add(withTimeout(background(), 20));
    clock.advance(19);
    expect(signal.aborted).toBe(false);
    clock.advance(1);
    expect(signal.aborted).toBe(true);
    await flush();
    expect(told).toBe(signal.reason);
    expect(clock.timers).toBe(0);
  });

  test("is pushed if it was unwatched and is watched again", () => {
    const source = withCancel(background());
    const { ctx, add } = joinAll(source);
    afterFunc(ctx, () => undefined)();
    expect(isWatched(scopeOf(source)!)).toBe(false);
    const other = withCancel(background());
    add(other);
    expect(isWatched(scopeOf(other)!)).toBe(false);
    const { signal } = ctx;
    for (const end of [source, other]) end.cancel();
    expect(signal.aborted).toBe(true);
  });

  test("does not watch a source any more once it has noticed its end", () => {
    const clock = new ManualClock();
    using _ = useClock(clock);
    const [first, second] = [10, 20].map((ms) => withTimeout(background(), ms));
    const { ctx } = joinAll(first!, second!);
    void ctx.signal;
    clock.block(10);
    expect(ctx.err()).toBeUndefined();
    expect(isWatched(scopeOf(first!)!)).toBe(false);
    expect(clock.timers).toBe(1);
  });

  test("is pushed before the cancel of its last source returns, also through a common ancestor (invariant 3)", () => {
    const root = withCancel(background());
    const { ctx } = joinAll(withCancel(root), withCancel(withCancel(withCancel(root))));
    const { signal } = withCancel(ctx);
    root.cancel();
    expect(signal.reason).toBe(root.err());
  });

  test("ends at once if listening to its last source reveals an end", () => {
    const theirs = new Theirs();
    const { ctx } = joinAll(theirs);
    // The signal has aborted, which err() does not say.
    theirs.controller.abort(new CanceledError({ cause: "theirs" }));
    expect(ctx.err()).toBeUndefined();
    expect(ctx.signal.aborted).toBe(true);
    expect(cause(ctx)).toBe("theirs");
  });

  test("ends at once if listening to a source that is added reveals its end", () => {
    const theirs = new Theirs();
    const { ctx, add } = joinAll();
    const { signal } = ctx;
    theirs.controller.abort(new CanceledError({ cause: "theirs" }));
    expect(add(theirs)).toBe(false);
    expect(signal.aborted).toBe(true);
    expect(cause(ctx)).toBe("theirs");
  });

  test("is not watched any more if listening to a source throws", () => {
    const clock = new ManualClock();
    using _ = useClock(clock);
    const theirs = new Theirs();
    const good = withTimeout(background(), 10);
    const { ctx } = joinAll(good, theirs);
    theirs.signal.addEventListener = () => {
      throw new Error("broken");
    };
    expect(() => ctx.signal).toThrow("broken");
    expect(isWatched(scopeOf(good)!)).toBe(false);
    expect(clock.timers).toBe(0);
  });
});

test.each(["unwatched", "watched"])(
  "a context with one live source and 20,000 sources that have ended does not grow (%s)",
  async (how) => {
    const { ctx, add } = joinAll(withCancel(background()));
    if (how === "watched") void ctx.signal;
    const use = (n: number): void => {
      for (let i = 0; i < n; i++) {
        const source = withCancel(background());
        add(source);
        source.cancel();
      }
    };
    use(1_000);
    const before = heap();
    use(20_000);
    // The scope of each source would take more than 50 bytes.
    expect(await collected(() => heap() - before < 500_000)).toBe(true);
    expect(ctx.err()).toBeUndefined();
  },
);

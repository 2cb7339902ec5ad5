/** What steps that must not be stopped promise, with operations that the tests control. */
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import {
  background,
  key,
  stopped,
  withCancel,
  withLedger,
  withTimeout,
  withValue,
  working,
  type Context,
} from "../index.ts";
import { Deferred, rejection, watchReports } from "../../test/support/reports.ts";
import type { OperationEnd, Resolver } from "./operation.ts";
import { runDetached, runUnstoppable, type UnstoppableOperation } from "./unstoppable.ts";

const warnings = watchReports();
beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

/** A context that can be canceled and has a ledger. */
const request = () => withCancel(withLedger(background()));

/** Runs an operation that settles when the test says so. */
function run(ctx: Context, stopTimeout?: number) {
  const state: {
    started: number;
    resolver?: Resolver<string>;
    destroyed?: unknown;
    end?: OperationEnd;
    outcome?: { value: string } | { error: unknown };
  } = { started: 0 };
  const operation: UnstoppableOperation<string> = {
    kind: "test.commit",
    what: "COMMIT",
    start(resolver) {
      state.started++;
      state.resolver = resolver;
      return undefined;
    },
    destroy: (reason) => void (state.destroyed = reason),
    release: (end) => void (state.end = end),
  };
  const settled = runUnstoppable(ctx, operation, stopTimeout).then(
    (value) => (state.outcome = { value }),
    (error: unknown) => (state.outcome = { error }),
  );
  return { state, settled };
}

describe("an operation that must not be stopped", () => {
  test("is in the ledger until it settles, and resolves with its result", async () => {
    const ctx = request();
    const { state, settled } = run(ctx);
    expect(working(ctx)).toMatchObject([{ kind: "test.commit", what: "COMMIT" }]);
    state.resolver?.resolve("committed");
    expect(await settled).toEqual({ value: "committed" });
    expect(working(ctx)).toEqual([]);
    expect(state).toMatchObject({ started: 1, end: { state: "stopped", proven: true } });
  });

  test("reports its outcome by a promise as well, and needs no `release`", async () => {
    const ctx = request();
    const run = (outcome: Promise<string>) =>
      runUnstoppable(ctx, { start: () => outcome, destroy: () => undefined });
    const own = new Error("own");
    expect(await run(Promise.resolve("committed"))).toBe("committed");
    expect(await rejection(run(Promise.reject(own)))).toBe(own);
    ctx.cancel();
    expect(await rejection(run(Promise.reject(own)))).toBe(own);
    await vi.advanceTimersByTimeAsync(0);
    expect(warnings).toEqual([]);
  });

  test("starts although its context is done", async () => {
    const ctx = request();
    ctx.cancel();
    const { state, settled } = run(ctx);
    state.resolver?.resolve("rolled back");
    expect(await settled).toEqual({ value: "rolled back" });
    expect(state.started).toBe(1);
  });

  test("goes on when its context ends, and resolves with its result", async () => {
    const ctx = request();
    const { state, settled } = run(ctx, 1_000);
    ctx.cancel();
    await vi.advanceTimersByTimeAsync(999);
    expect(state.outcome).toBeUndefined();
    state.resolver?.resolve("committed");
    await vi.advanceTimersByTimeAsync(0);
    expect(await settled).toEqual({ value: "committed" });
    expect(state).toMatchObject({ end: { state: "stopped", proven: true } });
    expect("destroyed" in state).toBe(false);
  });

  test("has no time limit while its context is live", async () => {
    const ctx = request();
    const { state, settled } = run(ctx, 1_000);
    await vi.advanceTimersByTimeAsync(60_000);
    expect(state.outcome).toBeUndefined();
    state.resolver?.resolve("committed");
    expect(await settled).toEqual({ value: "committed" });
  });

  test("is destroyed if it has not settled when the stop timeout has passed since the end of its context", async () => {
    const ctx = request();
    const { state, settled } = run(ctx, 1_000);
    await vi.advanceTimersByTimeAsync(5_000);
    ctx.cancel();
    await vi.advanceTimersByTimeAsync(999);
    expect(state.outcome).toBeUndefined();
    await vi.advanceTimersByTimeAsync(1);
    expect(await settled).toEqual({ error: ctx.err() });
    expect(state).toMatchObject({
      destroyed: { name: "TimeoutError" },
      end: { state: "abandoned", proven: false },
    });
    expect(await stopped(ctx)).toMatchObject([{ kind: "test.commit", state: "abandoned" }]);
  });

  test("has the stop timeout from its start if its context was done by then", async () => {
    const ctx = request();
    ctx.cancel();
    await vi.advanceTimersByTimeAsync(5_000);
    const { state, settled } = run(ctx, 1_000);
    await vi.advanceTimersByTimeAsync(999);
    expect(state.outcome).toBeUndefined();
    await vi.advanceTimersByTimeAsync(1);
    expect(await settled).toEqual({ error: ctx.err() });
  });

  test("rejects with its own error, whether its context is live or done", async () => {
    for (const isDone of [false, true]) {
      const ctx = request();
      const { state, settled } = run(ctx);
      if (isDone) ctx.cancel();
      await vi.advanceTimersByTimeAsync(0);
      const own = new Error("nothing was committed");
      state.resolver?.reject(own);
      await vi.advanceTimersByTimeAsync(0);
      expect(await settled).toEqual({ error: own });
      expect(state.end?.state).toBe("stopped");
    }
  });

  test.each<[how: string, gets: string, options: { answered?: boolean }, isDone: boolean]>([
    ["without an answer, after its context is done,", "the context's", { answered: false }, true],
    ["without an answer, while its context is live,", "its own", { answered: false }, false],
    ["by an answer, after its context is done,", "its own", { answered: true }, true],
    ["in a way that says nothing of answers,", "its own", {}, true],
  ])("that fails %s rejects with %s error", async (_, gets, options, isDone) => {
    const ctx = request();
    const { state, settled } = run(ctx);
    if (isDone) ctx.cancel();
    await vi.advanceTimersByTimeAsync(0);
    const own = new Error("read ECONNRESET");
    state.resolver?.reject(own, options);
    await vi.advanceTimersByTimeAsync(0);
    expect(await settled).toEqual({ error: gets === "its own" ? own : ctx.err() });
    expect(state.end?.state).toBe(options.answered === false ? "abandoned" : "stopped");
  });

  test("rejects with its context's error in place of another context error, once its context is done", async () => {
    const inner = withCancel(background());
    inner.cancel();
    const ctx = request();
    const live = run(ctx);
    live.state.resolver?.reject(inner.err());
    expect(await live.settled).toEqual({ error: inner.err() });
    const { state, settled } = run(ctx);
    ctx.cancel();
    state.resolver?.reject(inner.err());
    await vi.advanceTimersByTimeAsync(0);
    expect(await settled).toEqual({ error: ctx.err() });
  });

  test("leaves no timer and no registration behind", async () => {
    using ctx = withTimeout(background(), 10_000); // has a timer only while it is watched
    const { state, settled } = run(ctx);
    expect(vi.getTimerCount()).toBe(1);
    state.resolver?.resolve("committed");
    await settled;
    expect(vi.getTimerCount()).toBe(0);
  });
});

describe("a detached function", () => {
  test("runs under a context that has the values of the caller's, and resolves with its result", async () => {
    const User = key<string>("user");
    const ctx = withValue(background(), User, "Ada");
    expect(await runDetached(ctx, (detached) => Promise.resolve(detached.value(User)))).toBe("Ada");
  });

  test("goes on when the caller's context ends, and resolves with its result", async () => {
    const ctx = request();
    const step = new Deferred<string>();
    let seen: Context | undefined;
    const running = runDetached(ctx, (detached) => ((seen = detached), step.promise), 1_000);
    ctx.cancel();
    await vi.advanceTimersByTimeAsync(999);
    expect(seen?.err()).toBeUndefined();
    step.resolve("done");
    expect(await running).toBe("done");
  });

  test("starts although the caller's context is done, and then has the stop timeout", async () => {
    const ctx = request();
    ctx.cancel();
    let seen: Context | undefined;
    const running = runDetached(ctx, (detached) => ((seen = detached), untilDone(detached)), 1_000);
    running.catch(() => undefined);
    await vi.advanceTimersByTimeAsync(999);
    expect(seen?.err()).toBeUndefined();
    await vi.advanceTimersByTimeAsync(1);
    expect(await rejection(running)).toBe(ctx.err());
  });

  test("has no time limit while the caller's context is live, and the stop timeout after that", async () => {
    const ctx = request();
    let seen: Context | undefined;
    const running = runDetached(ctx, (detached) => ((seen = detached), untilDone(detached)), 1_000);
    running.catch(() => undefined);
    await vi.advanceTimersByTimeAsync(60_000);
    ctx.cancel(new Error("client left"));
    await vi.advanceTimersByTimeAsync(999);
    expect(seen?.err()).toBeUndefined();
    await vi.advanceTimersByTimeAsync(1);
    expect(seen?.err()?.cause).toBe(ctx.err());
    expect(await rejection(running)).toBe(ctx.err());
  });

  test("rejects with its own error, whether the caller's context is live or done", async () => {
    const own = new Error("own");
    const ctx = request();
    expect(await rejection(runDetached(ctx, () => Promise.reject(own)))).toBe(own);
    ctx.cancel();
    expect(await rejection(runDetached(ctx, () => Promise.reject(own)))).toBe(own);
  });

  test("rejects with a context error of its own while the caller's context is live", async () => {
    const inner = withCancel(background());
    inner.cancel();
    const running = runDetached(request(), () => Promise.reject(inner.err()!));
    expect(await rejection(running)).toBe(inner.err());
  });

  test("leaves no timer and no registration behind, and its context ends with it", async () => {
    using live = withTimeout(background(), 10_000); // has a timer only while it is watched
    let seen: Context | undefined;
    await runDetached(live, (detached) => {
      seen = detached;
      expect(vi.getTimerCount()).toBe(1);
      return Promise.resolve();
    });
    expect(vi.getTimerCount()).toBe(0);
    expect(seen?.err()).toBeDefined();

    const done = request();
    done.cancel();
    const step = new Deferred();
    const running = runDetached(done, () => step.promise, 1_000);
    await vi.advanceTimersByTimeAsync(0);
    expect(vi.getTimerCount()).toBe(1); // the stop timeout
    step.resolve();
    await running;
    expect(vi.getTimerCount()).toBe(0);
  });
});

/** Rejects when the context ends, as an operation under it does. */
function untilDone(ctx: Context): Promise<never> {
  return new Promise((_, reject) => {
    ctx.signal.addEventListener("abort", () => reject(ctx.err()!));
  });
}

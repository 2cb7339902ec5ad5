/** How a function's use of a connection ends, with operations that the tests control. */
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { background, withCancel, withTimeout, type Context } from "../index.ts";
import { flush } from "../../test/support.ts";
import { Deferred, rejection, watchReports } from "../../test/support/reports.ts";
import { ConnectionScope, STREAM } from "./connection-scope.ts";

watchReports();

/** Starts an operation that settles when the test says so, and remembers its context. */
function start(scope: ConnectionScope, ctx: Context, exclusiveUse?: string) {
  const step = new Deferred<string>();
  const state: { ctx?: Context } = {};
  const running = scope.run(ctx, (both) => ((state.ctx = both), step.promise), exclusiveUse);
  running.catch(() => undefined);
  return { step, state, running };
}

async function hasSettled(promise: Promise<unknown>): Promise<boolean> {
  let settled = false;
  const settle = (): void => void (settled = true);
  promise.then(settle, settle);
  await flush();
  return settled;
}

describe("an operation in a connection's scope", () => {
  test("settles as it does without the scope", async () => {
    const scope = new ConnectionScope(background(), "transaction");
    const own = new Error("own");
    expect(await scope.run(background(), () => Promise.resolve("result"))).toBe("result");
    expect(await rejection(scope.run(background(), () => Promise.reject(own)))).toBe(own);
  });

  test.each(["the scope's own context", "another context"])(
    "under %s stops when the context of the scope ends",
    (which) => {
      const ctx = withCancel(background());
      const scope = new ConnectionScope(ctx, "transaction");
      const { state } = start(scope, which === "another context" ? background() : ctx);
      expect(state.ctx?.err()).toBeUndefined();
      ctx.cancel();
      expect(state.ctx?.err()).toBe(ctx.err());
    },
  );

  test("stops when its own context ends, and the others go on", () => {
    const scope = new ConnectionScope(background(), "transaction");
    const ctx = withCancel(background());
    const { state } = start(scope, ctx);
    const other = start(scope, background());
    ctx.cancel();
    expect(state.ctx?.err()).toBe(ctx.err());
    expect(other.state.ctx?.err()).toBeUndefined();
  });

  test("leaves no registration on its own context", async () => {
    vi.useFakeTimers();
    try {
      const scope = new ConnectionScope(background(), "transaction");
      using ctx = withTimeout(background(), 10_000); // has a timer only while it is watched
      const { step, running } = start(scope, ctx);
      expect(vi.getTimerCount()).toBe(1);
      step.resolve("result");
      await running;
      expect(vi.getTimerCount()).toBe(0);
    } finally {
      vi.useRealTimers();
    }
  });

  test("may run beside others that do not need the connection for themselves", async () => {
    const scope = new ConnectionScope(background(), "transaction");
    const [first, second] = [start(scope, background()), start(scope, background())];
    second.step.resolve("second");
    first.step.resolve("first");
    expect(await Promise.all([first.running, second.running])).toEqual(["first", "second"]);
  });

  test("is refused while another needs the connection for itself, however that one ends", async () => {
    const scope = new ConnectionScope(background(), "transaction");
    for (const outcome of ["resolve", "reject"] as const) {
      const { step, running } = start(scope, background(), "a nested transaction");
      const refused = start(scope, background());
      const error = await rejection(refused.running);
      expect(error).toBeInstanceOf(TypeError);
      expect((error as Error).message).toBe(
        "the connection of this transaction is busy with a nested transaction; finish that first, or use what its function was given",
      );
      expect(refused.state.ctx).toBeUndefined();
      step[outcome]("ended");
      await running.catch(() => undefined);
      await scope.run(background(), () => Promise.resolve());
    }
  });

  test("does not end the exclusive use of another when it ends itself", async () => {
    const scope = new ConnectionScope(background(), "connection");
    const plain = start(scope, background());
    start(scope, background(), "a transaction");
    plain.step.resolve("result");
    await plain.running;
    expect(await rejection(start(scope, background()).running)).toBeInstanceOf(TypeError);
  });
});

describe("a scope with a time for clean-up", () => {
  beforeEach(() => void vi.useFakeTimers());
  afterEach(() => void vi.useRealTimers());

  /** A scope whose context can be canceled, and which leaves 500 ms for clean-up. */
  function withCleanup() {
    const ctx = withCancel(background());
    return { ctx, scope: new ConnectionScope(ctx, "connection", 500) };
  }

  test("stops operations under its own context, and under a child of it, when that ends", () => {
    const { ctx, scope } = withCleanup();
    const own = start(scope, ctx);
    const child = start(scope, withTimeout(ctx, 10_000));
    ctx.cancel();
    expect(own.state.ctx?.err()).toBe(ctx.err());
    expect(child.state.ctx?.err()).toBe(ctx.err());
  });

  test.each(["before", "after"])(
    "lets an operation that starts %s that end run until its own deadline, and no longer",
    async (when) => {
      const { ctx, scope } = withCleanup();
      if (when === "after") ctx.cancel();
      const live = withTimeout(background(), 2_000);
      const { state } = start(scope, live);
      ctx.cancel();
      await vi.advanceTimersByTimeAsync(1_999);
      expect(state.ctx?.err()).toBeUndefined();
      await vi.advanceTimersByTimeAsync(1);
      expect(state.ctx?.err()).toBe(live.err());
    },
  );

  test.each(["before", "after"])(
    "stops an operation without a deadline that starts %s that end when the time has passed",
    async (when) => {
      const { ctx, scope } = withCleanup();
      const early = when === "before" ? start(scope, background()) : undefined;
      ctx.cancel();
      await vi.advanceTimersByTimeAsync(400);
      const { state } = early ?? start(scope, background());
      await vi.advanceTimersByTimeAsync(99);
      expect(state.ctx?.err()).toBeUndefined();
      await vi.advanceTimersByTimeAsync(1);
      expect(state.ctx?.err()).toBe(ctx.err());
      expect(start(scope, background()).state.ctx?.err()).toBe(ctx.err());
    },
  );

  test("stops what still runs after a failure, and leaves no timer", async () => {
    const { ctx, scope } = withCleanup();
    const free = withTimeout(background(), 2_000);
    const operations = [background(), free].map((live) => start(scope, live));
    ctx.cancel();
    await vi.advanceTimersByTimeAsync(1);
    const mine = new Error("mine");
    const ended = scope.end({ error: mine });
    for (const operation of operations) {
      expect(operation.state.ctx?.err()?.cause).toBe(mine);
      operation.step.resolve("result");
    }
    await ended;
    free.cancel();
    await vi.advanceTimersByTimeAsync(0);
    expect(vi.getTimerCount()).toBe(0);
  });

  test("leaves no timer after a clean-up in time", async () => {
    const { ctx, scope } = withCleanup();
    ctx.cancel();
    await vi.advanceTimersByTimeAsync(1);
    expect(vi.getTimerCount()).toBe(1);
    await scope.end();
    await vi.advanceTimersByTimeAsync(0);
    expect(vi.getTimerCount()).toBe(0);
  });

  test("leaves no registration on its context", async () => {
    using ctx = withTimeout(background(), 10_000); // has a timer only while it is watched
    const scope = new ConnectionScope(ctx, "connection", 500);
    expect(vi.getTimerCount()).toBe(1);
    await scope.end();
    expect(vi.getTimerCount()).toBe(0);
  });
});

describe("the end of a connection's scope", () => {
  test("waits for the operations that still run, and does not stop them", async () => {
    const scope = new ConnectionScope(background(), "transaction");
    const [first, second] = [start(scope, background()), start(scope, background())];
    const ended = scope.end();
    first.step.resolve("result");
    expect(await hasSettled(ended)).toBe(false);
    expect(second.state.ctx?.err()).toBeUndefined();
    second.step.reject(new Error("own"));
    await ended; // the error belongs to the code that started the operation
  });

  test("waits for an exclusive use that is no stream", async () => {
    const scope = new ConnectionScope(background(), "connection");
    const { step } = start(scope, background(), "a transaction");
    const ended = scope.end();
    expect(await hasSettled(ended)).toBe(false);
    step.resolve("committed");
    await ended;
  });

  test("after a failure stops the operations that still run, waits for them, and never rejects", async () => {
    const scope = new ConnectionScope(background(), "transaction");
    const { step, state } = start(scope, background());
    const mine = new Error("mine");
    const ended = scope.end({ error: mine });
    expect(state.ctx?.err()?.cause).toBe(mine);
    expect(await hasSettled(ended)).toBe(false);
    step.reject(state.ctx?.err());
    await ended;
  });

  test("stops them also if the failure is the value undefined", async () => {
    const scope = new ConnectionScope(background(), "transaction");
    const { step, state } = start(scope, background());
    const ended = scope.end({ error: undefined });
    expect(state.ctx?.err()).toBeDefined();
    step.resolve("result");
    await ended;
  });

  test("ends the context of its operations", async () => {
    const ctx = background();
    const scope = new ConnectionScope(ctx, "transaction");
    const { step, state } = start(scope, ctx);
    step.resolve("result");
    await scope.end();
    expect(state.ctx?.err()).toBeDefined();
  });

  test.each(["transaction", "connection"])(
    "of a %s refuses operations from then on, even while it waits",
    async (purpose) => {
      const scope = new ConnectionScope(background(), purpose);
      const { step } = start(scope, background());
      const ended = scope.end();
      const late = start(scope, background());
      expect(late.state.ctx).toBeUndefined();
      const error = await rejection(late.running);
      expect(error).toBeInstanceOf(TypeError);
      expect((error as Error).message).toBe(
        `the ${purpose} has ended; await everything that uses it before its function returns`,
      );
      step.resolve("result");
      await ended;
    },
  );

  test("rejects with a TypeError if a stream was left open, and the second end stops the stream", async () => {
    const scope = new ConnectionScope(background(), "connection");
    const { step, state } = start(scope, background(), STREAM);
    const error = await rejection(scope.end());
    expect(error).toBeInstanceOf(TypeError);
    expect((error as Error).message).toBe(
      "the function of this connection has returned and left a stream open; read it to its end, or leave its loop",
    );
    expect(state.ctx?.err()).toBeUndefined();
    const ended = scope.end({ error });
    expect(state.ctx?.err()?.cause).toBe(error);
    step.reject(state.ctx?.err());
    await ended;
  });
});

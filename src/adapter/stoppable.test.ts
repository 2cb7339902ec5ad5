/** What `runStoppable` promises to callers and to adapters, with operations that the tests control. */
import { describe, expect, test, vi } from "vitest";
import {
  background,
  stopped,
  withCancel,
  withLedger,
  withTimeout,
  working,
  type CancelableContext,
} from "../index.ts";
import { turn } from "../../test/support.ts";
import { adapterThrew, watchReports } from "../../test/support/reports.ts";
import type { Operation, OperationEnd, Resolver, StopProof } from "./operation.ts";
import { runStoppable } from "./stoppable.ts";

const STOPPED = new Error("stopped by the other side");
/** An error that a stop can have caused, and something else too. */
const PERHAPS = new Error("stopped by the other side, or too slow");

/** An operation whose every step the test decides. `events` lists what was called, in order. */
class TestOperation implements Operation<string> {
  readonly kind = "test";
  readonly events: string[] = [];
  resolver!: Resolver<string>;
  end: OperationEnd | undefined;
  signals: AbortSignal[] = [];
  readonly #overrides: Partial<Operation<string>>;
  /** Missing, as in most adapters, unless the test has one. */
  readonly confirmStop?: () => PromiseLike<boolean> | undefined;

  constructor(overrides: Partial<Operation<string>> = {}) {
    this.#overrides = overrides;
    const { confirmStop } = overrides;
    if (confirmStop === undefined) return;
    this.confirmStop = () => {
      this.events.push("confirmStop");
      return confirmStop();
    };
  }
  start(resolver: Resolver<string>): PromiseLike<string> | undefined {
    this.events.push("start");
    this.resolver = resolver;
    return this.#overrides.start?.(resolver);
  }
  stop(signal: AbortSignal): PromiseLike<StopProof> {
    this.events.push("stop");
    this.signals.push(signal);
    return this.#overrides.stop?.(signal) ?? Promise.resolve("unproven");
  }
  destroy(reason: unknown): void {
    this.events.push("destroy");
    this.#overrides.destroy?.(reason);
  }
  isStop(error: unknown): boolean | "unproven" {
    this.events.push("isStop");
    return this.#overrides.isStop?.(error) ?? error === STOPPED;
  }
  release(end: OperationEnd): void {
    this.events.push("release");
    this.end = end;
    this.#overrides.release?.(end);
  }
}

const warnings = watchReports();

/** Runs an operation under a context with a ledger, and remembers how its promise has settled. */
function run(operation: Operation<string>, stopTimeout?: number) {
  const ctx = withCancel(withLedger(background()));
  const state: { outcome?: { value: string } | { error: unknown } } = {};
  const settled = runStoppable(ctx, operation, stopTimeout).then(
    (value) => (state.outcome = { value }),
    (error: unknown) => (state.outcome = { error }),
  );
  return { ctx, settled, state };
}

async function receiptOf(ctx: CancelableContext): Promise<unknown> {
  return (await stopped(ctx)).map(({ state }) => state);
}

describe("an operation that is not stopped", () => {
  test("is released before its caller gets the result", async () => {
    const operation = new TestOperation();
    const { settled, state, ctx } = run(operation);
    expect(working(ctx)).toHaveLength(1);
    operation.resolver.resolve("result");
    expect(operation.events).toEqual(["start", "release"]);
    await settled;
    expect(state.outcome).toEqual({ value: "result" });
    expect(operation.end).toEqual({ state: "stopped", proven: true });
    expect(working(ctx)).toEqual([]);
  });

  test("passes on the promise that `start` returns", async () => {
    const { settled } = run(new TestOperation({ start: () => Promise.resolve("result") }));
    expect(await settled).toEqual({ value: "result" });
    const own = new Error("own");
    const failing = new TestOperation({ start: () => Promise.reject(own) });
    expect(await run(failing).settled).toEqual({ error: own });
    expect(failing.end).toEqual({ state: "stopped", proven: true });
  });

  test("needs neither a kind nor a `release`, and is then not in the ledger", async () => {
    const ctx = withLedger(background());
    const settle = (error?: Error): Promise<string> =>
      runStoppable(ctx, {
        start(resolver) {
          expect(working(ctx)).toEqual([]);
          if (error === undefined) resolver.resolve("result");
          else resolver.reject(error);
          return undefined;
        },
        stop: () => Promise.resolve("proven"),
        destroy: () => undefined,
        isStop: () => false,
      });
    expect(await settle()).toBe("result");
    const own = new Error("own");
    await expect(settle(own)).rejects.toBe(own);
    await turn();
    expect(warnings).toEqual([]);
  });

  test("rejects with its own error, and the adapter is not asked whether that is a stop", async () => {
    const own = new Error("own");
    const operation = new TestOperation();
    const { settled } = run(operation);
    operation.resolver.reject(own);
    expect(await settled).toEqual({ error: own });
    expect(operation.events).toEqual(["start", "release"]);
  });

  test("is released and rejects with what `start` throws", async () => {
    const own = new Error("own");
    const operation = new TestOperation({
      start: () => {
        throw own;
      },
    });
    const { settled, ctx } = run(operation);
    expect(await settled).toEqual({ error: own });
    expect(operation.events).toEqual(["start", "release"]);
    expect(working(ctx)).toEqual([]);
  });

  test("settles once, although a driver reports its outcome twice", async () => {
    const operation = new TestOperation();
    const { settled } = run(operation);
    operation.resolver.resolve("first");
    operation.resolver.resolve("second");
    operation.resolver.reject(new Error("third"));
    expect(await settled).toEqual({ value: "first" });
    expect(operation.events).toEqual(["start", "release"]);
  });

  test("is never started if its context is done", async () => {
    const operation = new TestOperation();
    const ctx = withCancel(background());
    ctx.cancel();
    await expect(runStoppable(ctx, operation)).rejects.toBe(ctx.err());
    expect(operation.events).toEqual([]);
  });

  test("leaves no registration on its context", async () => {
    const ctx = withCancel(background());
    const operation = new TestOperation();
    const running = runStoppable(ctx, operation);
    operation.resolver.resolve("result");
    await running;
    ctx.cancel();
    await turn();
    expect(operation.events).toEqual(["start", "release"]);
  });

  test("leaves no registration on its context if it settles while it starts", async () => {
    vi.useFakeTimers();
    try {
      using ctx = withTimeout(background(), 10_000); // has a timer only while it is watched
      const pending = new TestOperation();
      const running = runStoppable(ctx, pending);
      expect(vi.getTimerCount()).toBe(1);
      pending.resolver.resolve("result");
      await running;
      expect(vi.getTimerCount()).toBe(0);
      const start = (resolver: Resolver<string>): undefined => {
        resolver.resolve("result");
      };
      await runStoppable(ctx, new TestOperation({ start }));
      expect(vi.getTimerCount()).toBe(0);
    } finally {
      vi.useRealTimers();
    }
  });
});

describe("an operation whose context ends", () => {
  test("settles only when the operation has settled and its stop has ended, in either order", async () => {
    for (const first of ["operation", "stop"]) {
      let endStop!: (proof: "unproven") => void;
      const operation = new TestOperation({
        stop: () => new Promise((resolve) => (endStop = resolve)),
      });
      const { ctx, settled, state } = run(operation);
      ctx.cancel();
      await turn();
      expect(operation.events).toEqual(["start", "stop"]);
      if (first === "operation") operation.resolver.reject(STOPPED);
      else endStop("unproven");
      await turn();
      expect(state.outcome, `after the ${first}`).toBeUndefined();
      expect(working(ctx), `after the ${first}`).toHaveLength(1);
      expect(operation.end).toBeUndefined();
      if (first === "operation") endStop("unproven");
      else operation.resolver.reject(STOPPED);
      expect(await settled).toEqual({ error: ctx.err() });
      expect(operation.events).toEqual(["start", "stop", "isStop", "release"]);
      expect(await receiptOf(ctx)).toEqual(["stopped"]);
    }
  });

  test("resolves with a result that beats the stop", async () => {
    const operation = new TestOperation();
    const { ctx, settled } = run(operation);
    ctx.cancel();
    operation.resolver.resolve("result");
    expect(await settled).toEqual({ value: "result" });
  });

  test("rejects with an error that is no stop, unchanged", async () => {
    const own = new Error("duplicate key");
    const operation = new TestOperation();
    const { ctx, settled } = run(operation);
    ctx.cancel();
    await turn();
    operation.resolver.reject(own);
    expect(await settled).toEqual({ error: own });
    expect(await receiptOf(ctx)).toEqual(["stopped"]);
  });

  test("rejects with its context's error if it reports that itself, which is no answer to the stop", async () => {
    const operation = new TestOperation({ isStop: () => true });
    const { ctx, settled } = run(operation);
    ctx.cancel();
    await turn();
    operation.resolver.reject(ctx.err());
    expect(await settled).toEqual({ error: ctx.err() });
    expect(operation.end).toEqual({ state: "stopped", proven: false });
  });

  test("rejects with the context's error if the other side enforced the deadline before the timer here", async () => {
    const operation = new TestOperation();
    const { ctx, settled } = run(operation);
    ctx.cancel();
    operation.resolver.reject(STOPPED); // before `stop` was called
    expect(await settled).toEqual({ error: ctx.err() });
    expect(operation.events).toEqual(["start", "isStop", "release"]);
    expect(operation.end).toEqual({ state: "stopped", proven: true });
  });

  test("is asked to stop again after `repeatAfter`, and then after twice that time", async () => {
    vi.useFakeTimers();
    try {
      const operation = new TestOperation();
      const { ctx, settled } = run(Object.assign(operation, { repeatAfter: 500 }));
      ctx.cancel();
      for (const [calls, ms] of [
        [1, 499],
        [2, 1],
        [2, 999],
        [3, 1],
      ] as const) {
        await vi.advanceTimersByTimeAsync(ms);
        expect(operation.signals).toHaveLength(calls);
      }
      operation.resolver.resolve("result");
      await vi.advanceTimersByTimeAsync(0);
      await settled;
    } finally {
      vi.useRealTimers();
    }
  });

  test("is asked to stop soon while no stop was sent, and after `repeatAfter` once one was sent", async () => {
    vi.useFakeTimers();
    try {
      const proofs: StopProof[] = ["unsent", "unsent", "unproven"];
      let calls = 0;
      const operation = new TestOperation({
        stop: () => Promise.resolve(proofs[calls++] ?? "unproven"),
      });
      const { ctx, settled } = run(operation);
      ctx.cancel();
      for (const [ms, expected] of [
        [0, 1],
        [50, 2],
        [100, 3],
      ] as const) {
        await vi.advanceTimersByTimeAsync(ms);
        expect(calls).toBe(expected);
        if (calls === 2) Object.assign(operation, { repeatAfter: 500 });
      }
      await vi.advanceTimersByTimeAsync(499);
      expect(calls).toBe(3);
      await vi.advanceTimersByTimeAsync(1);
      expect(calls).toBe(4);
      operation.resolver.resolve("result");
      await vi.advanceTimersByTimeAsync(0);
      await settled;
    } finally {
      vi.useRealTimers();
    }
  });

  test("is asked to stop again and again until it settles, and the calls do not overlap", async () => {
    vi.useFakeTimers();
    try {
      let ends: ((proof: "proven") => void)[] = [];
      const operation = new TestOperation({
        stop: () => new Promise((resolve) => ends.push(resolve)),
      });
      const { ctx, settled } = run(operation);
      ctx.cancel();
      await vi.advanceTimersByTimeAsync(500);
      expect(operation.signals).toHaveLength(1); // the first has not ended
      for (const [calls, pause] of [
        [2, 50],
        [3, 100],
        [4, 200],
      ] as const) {
        for (const end of ends) end("proven");
        ends = [];
        await vi.advanceTimersByTimeAsync(pause - 1);
        expect(operation.signals).toHaveLength(calls - 1);
        await vi.advanceTimersByTimeAsync(1);
        expect(operation.signals).toHaveLength(calls);
      }
      for (const end of ends) end("proven");
      operation.resolver.reject(STOPPED);
      await vi.advanceTimersByTimeAsync(0);
      expect(await settled).toEqual({ error: ctx.err() });
      expect(operation.end).toEqual({ state: "stopped", proven: true });
    } finally {
      vi.useRealTimers();
    }
  });

  test("tells its stop by a signal that it has settled", async () => {
    const operation = new TestOperation({
      stop: (signal) =>
        new Promise((resolve) => signal.addEventListener("abort", () => resolve("proven"))),
    });
    const { ctx, settled } = run(operation);
    ctx.cancel();
    await turn();
    expect(operation.signals[0]?.aborted).toBe(false);
    operation.resolver.resolve("result");
    expect(operation.signals[0]?.aborted).toBe(true);
    expect(String(operation.signals[0]?.reason)).toContain("the operation has settled");
    expect(await settled).toEqual({ value: "result" });
  });
});

describe("the stop timeout", () => {
  test("destroys the resource of an operation that does not settle, and rejects with the context's error", async () => {
    vi.useFakeTimers();
    try {
      let reason: unknown;
      const operation = new TestOperation({
        destroy(error) {
          reason = error;
          operation.resolver.reject(new Error("closed by destroy"));
        },
      });
      const { ctx, settled } = run(operation, 1_000);
      ctx.cancel();
      await vi.advanceTimersByTimeAsync(999);
      expect(operation.events).not.toContain("destroy");
      await vi.advanceTimersByTimeAsync(1);
      expect(await settled).toEqual({ error: ctx.err() });
      expect(reason).toMatchObject({ name: "TimeoutError" });
      expect(operation.events.slice(-2)).toEqual(["destroy", "release"]);
      expect(operation.end).toEqual({ state: "abandoned", proven: false });
      expect(operation.signals.at(-1)?.aborted).toBe(true);
      expect(await receiptOf(ctx)).toEqual(["abandoned"]);
    } finally {
      vi.useRealTimers();
    }
  });

  test("destroys the resource if the operation has settled and its stop does not end", async () => {
    vi.useFakeTimers();
    try {
      const operation = new TestOperation({ stop: () => new Promise(() => undefined) });
      const { ctx, settled, state } = run(operation, 1_000);
      ctx.cancel();
      await vi.advanceTimersByTimeAsync(0);
      operation.resolver.resolve("result");
      await vi.advanceTimersByTimeAsync(999);
      expect(state.outcome).toBeUndefined();
      await vi.advanceTimersByTimeAsync(1);
      expect(await settled).toEqual({ value: "result" });
      expect(operation.events.slice(-2)).toEqual(["destroy", "release"]);
      expect(operation.end).toEqual({ state: "stopped", proven: false });
      expect(await receiptOf(ctx)).toEqual(["stopped"]);
    } finally {
      vi.useRealTimers();
    }
  });

  test("destroys the resource if the confirmation of a stop does not end", async () => {
    vi.useFakeTimers();
    try {
      const operation = new TestOperation({ confirmStop: () => new Promise(() => undefined) });
      const { ctx, settled } = run(operation, 1_000);
      ctx.cancel();
      await vi.advanceTimersByTimeAsync(0);
      operation.resolver.reject(STOPPED);
      await vi.advanceTimersByTimeAsync(999);
      expect(operation.events.at(-1)).toBe("confirmStop");
      await vi.advanceTimersByTimeAsync(1);
      expect(await settled).toEqual({ error: ctx.err() });
      expect(operation.events.slice(-2)).toEqual(["destroy", "release"]);
      expect(operation.end).toEqual({ state: "stopped", proven: false });
    } finally {
      vi.useRealTimers();
    }
  });

  test("leaves the stop without a proof if the resource was destroyed, whatever the other side has answered", async () => {
    vi.useFakeTimers();
    try {
      const operation = new TestOperation({ stop: () => Promise.resolve("proven") });
      const { ctx, settled } = run(operation, 1_000);
      ctx.cancel();
      await vi.advanceTimersByTimeAsync(1_000);
      expect(await settled).toEqual({ error: ctx.err() });
      expect(operation.end).toEqual({ state: "abandoned", proven: false });
    } finally {
      vi.useRealTimers();
    }
  });

  test.each([0, -1])("of %i ms destroys the resource as soon as the context ends", async (ms) => {
    const operation = new TestOperation({ stop: () => new Promise(() => undefined) });
    const { ctx, settled } = run(operation, ms);
    ctx.cancel();
    expect(await settled).toEqual({ error: ctx.err() });
    expect(operation.end).toEqual({ state: "abandoned", proven: false });
  });

  test("does not keep the process alive and ends with the operation", async () => {
    vi.useFakeTimers();
    try {
      const operation = new TestOperation();
      const { ctx, settled } = run(operation);
      ctx.cancel();
      await vi.advanceTimersByTimeAsync(0);
      operation.resolver.reject(STOPPED);
      await vi.advanceTimersByTimeAsync(0);
      await settled;
      expect(vi.getTimerCount()).toBe(0);
    } finally {
      vi.useRealTimers();
    }
  });
});

describe("a rejection that is no answer", () => {
  test("counts as abandoned if the context has ended, and is passed on unchanged", async () => {
    const broken = new Error("read ECONNRESET");
    const operation = new TestOperation({ isStop: () => true });
    const { ctx, settled } = run(operation);
    ctx.cancel();
    await turn();
    operation.resolver.reject(broken, { answered: false });
    expect(await settled).toEqual({ error: broken });
    expect(operation.end).toEqual({ state: "abandoned", proven: false });
    expect(await receiptOf(ctx)).toEqual(["abandoned"]);
  });

  test("is passed on and needs no proof if nothing was stopped", async () => {
    const broken = new Error("read ECONNRESET");
    const operation = new TestOperation();
    const { settled } = run(operation);
    operation.resolver.reject(broken, { answered: false });
    expect(await settled).toEqual({ error: broken });
    expect(operation.end).toEqual({ state: "abandoned", proven: true });
  });
});

describe("the proof of a stop", () => {
  /** Runs one operation, which is stopped as often as there are proofs, and returns its end. */
  async function endAfter(proofs: StopProof[], error: unknown): Promise<unknown> {
    vi.useFakeTimers();
    try {
      let calls = 0;
      const operation = new TestOperation({
        stop: () => Promise.resolve(proofs[calls++]!),
        isStop: (error) => error === STOPPED || (error === PERHAPS && "unproven"),
      });
      const { ctx, settled } = run(operation);
      ctx.cancel();
      await vi.advanceTimersByTimeAsync(0);
      for (let i = 1; i < proofs.length; i++) await vi.advanceTimersByTimeAsync(50 * 2 ** (i - 1));
      if (error === undefined) operation.resolver.resolve("result");
      else operation.resolver.reject(error);
      await vi.advanceTimersByTimeAsync(0);
      await settled;
      expect(calls).toBe(proofs.length);
      expect(operation.events).not.toContain("destroy");
      return operation.end?.proven;
    } finally {
      vi.useRealTimers();
    }
  }

  test.each<[proofs: StopProof[], error: unknown, proven: boolean]>([
    [["proven"], undefined, true],
    [["proven", "proven"], STOPPED, true],
    [["unproven"], STOPPED, true],
    [["unproven"], undefined, false],
    [["unproven"], new Error("own"), false],
    [["unproven", "unproven"], STOPPED, false],
    [["unproven", "proven"], STOPPED, false],
    [["unproven"], PERHAPS, false],
    [["unsent"], undefined, true],
    [["unsent", "unproven"], STOPPED, true],
    [["unproven", "unsent"], STOPPED, true],
    [["unsent", "unproven"], undefined, false],
  ])("after the stops %j and the error %s: %s", async (proofs, error, proven) => {
    expect(await endAfter(proofs, error)).toBe(proven);
  });

  test.each([true, false])(
    "if `confirmStop` resolves with %s, that is what `release` learns, and nothing ends before",
    async (isConfirmed) => {
      let confirm!: (value: boolean) => void;
      const confirmStop = (): Promise<boolean> => new Promise((resolve) => (confirm = resolve));
      const operation = new TestOperation({ confirmStop });
      const { ctx, settled, state } = run(operation);
      ctx.cancel();
      await turn();
      operation.resolver.reject(STOPPED);
      await turn();
      expect(operation.events.slice(-2)).toEqual(["isStop", "confirmStop"]);
      expect(state.outcome).toBeUndefined();
      confirm(isConfirmed);
      expect(await settled).toEqual({ error: ctx.err() });
      expect(operation.end).toEqual({ state: "stopped", proven: isConfirmed });
      expect(operation.events).toEqual(["start", "stop", "isStop", "confirmStop", "release"]);
    },
  );

  test.each<[why: string, proof: StopProof, error: Error | undefined]>([
    ["no stop was sent", "unsent", STOPPED],
    ["the stop is proven", "proven", STOPPED],
    ["the operation has succeeded", "unproven", undefined],
    ["the error is no stop", "unproven", new Error("own")],
    ["the error can have another cause", "unproven", PERHAPS],
  ])("nothing is confirmed if %s", async (_, proof, error) => {
    const operation = new TestOperation({
      stop: () => Promise.resolve(proof),
      isStop: (error) => error === STOPPED || (error === PERHAPS && "unproven"),
      confirmStop: () => Promise.resolve(false),
    });
    const { ctx, settled } = run(operation);
    ctx.cancel();
    await turn();
    if (error === undefined) operation.resolver.resolve("result");
    else operation.resolver.reject(error);
    await settled;
    expect(operation.events).not.toContain("confirmStop");
  });

  test('the caller gets ctx.err() also if `isStop` returns "unproven"', async () => {
    const operation = new TestOperation({ isStop: () => "unproven" });
    const { ctx, settled } = run(operation);
    ctx.cancel();
    operation.resolver.reject(PERHAPS);
    expect(await settled).toEqual({ error: ctx.err() });
  });
});

describe("an adapter that throws", () => {
  const thrown = new Error("a mistake of the adapter");
  const throwIt = (): never => {
    throw thrown;
  };

  test.each<[how: string, confirmStop: () => PromiseLike<boolean>]>([
    ["throws", throwIt],
    ["rejects", () => Promise.reject(thrown)],
  ])(
    "in `confirmStop` that %s: the resource is destroyed with that error",
    async (_, confirmStop) => {
      let reason: unknown;
      const destroy = (error: unknown): void => void (reason = error);
      const operation = new TestOperation({ confirmStop, destroy });
      const { ctx, settled } = run(operation);
      ctx.cancel();
      await turn();
      operation.resolver.reject(STOPPED);
      expect(await settled).toEqual({ error: ctx.err() });
      expect(reason).toBe(thrown);
      expect(operation.end).toEqual({ state: "stopped", proven: false });
    },
  );

  test.each<[how: string, stop: () => PromiseLike<"proven">]>([
    ["throws", throwIt],
    ["rejects", () => Promise.reject(thrown)],
  ])("in `stop` that %s: the resource is destroyed with that error", async (_, stop) => {
    let reason: unknown;
    const operation = new TestOperation({ stop, destroy: (error) => void (reason = error) });
    const { ctx, settled } = run(operation);
    ctx.cancel();
    expect(await settled).toEqual({ error: ctx.err() });
    expect(reason).toBe(thrown);
    expect(operation.end).toEqual({ state: "abandoned", proven: false });
    expect(warnings).toEqual([]);
  });

  test.each(["destroy", "release", "isStop"] as const)(
    "in `%s` does not keep the outcome from the caller or the receipt from the ledger",
    async (method) => {
      const operation = new TestOperation({
        [method]: throwIt,
        ...(method === "destroy" && { stop: () => Promise.reject(new Error("refused")) }),
      });
      const { ctx, settled } = run(operation);
      ctx.cancel();
      await turn();
      operation.resolver.reject(STOPPED);
      expect(await settled).toEqual({ error: method === "isStop" ? STOPPED : ctx.err() });
      expect(operation.events.at(-1)).toBe("release");
      expect(working(ctx)).toEqual([]);
      await turn();
      expect(warnings).toMatchObject([adapterThrew(method, "a mistake")]);
    },
  );

  test("in `then` of what `start` returns rejects with that error", async () => {
    const operation = new TestOperation({ start: () => ({ then: throwIt }) });
    const { settled } = run(operation);
    expect(await settled).toEqual({ error: thrown });
  });
});

test("a deadline stops an operation as a cancellation does", async () => {
  const operation = new TestOperation({
    stop: () => {
      operation.resolver.reject(STOPPED);
      return Promise.resolve("unproven");
    },
  });
  using ctx = withTimeout(background(), 1);
  const error: unknown = await runStoppable(ctx, operation).catch((error: unknown) => error);
  expect(error).toBe(ctx.err());
  expect(ctx.err()?.name).toBe("TimeoutError");
});

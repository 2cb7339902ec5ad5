/** How an operation of an engine is interrupted, with an engine that the tests control. */
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import {
  background,
  stopped,
  withCancel,
  withLedger,
  working,
  type CancelableContext,
  type Context,
  Semaphore,
} from "../../index.ts";
import { Deferred, rejection, watchReports } from "../../../test/support/reports.ts";
import { runInterruptible, type InterruptibleOperation } from "./interrupt.ts";

const warnings = watchReports();
beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

const INTERRUPTED = new Error("INTERRUPT Error");

/** Lets promises settle, and no time pass. */
const settle = () => vi.advanceTimersByTimeAsync(0);

/** An operation whose every step ends when the test says so. `events` lists what began, in order. */
class TestOperation implements InterruptibleOperation<string, string> {
  readonly kind = "test.query";
  readonly what = "SELECT 1";
  readonly places: Semaphore;
  readonly events: string[] = [];
  readonly opened = new Deferred<string>();
  readonly used = new Deferred<string>();
  readonly released = new Deferred();
  openCtx: Context | undefined;
  interrupts = 0;

  constructor(places = new Semaphore(1)) {
    this.places = places;
  }
  open(ctx: Context): Promise<string> {
    this.events.push("open");
    this.openCtx = ctx;
    return this.opened.promise;
  }
  use(resource: string): Promise<string> {
    this.events.push(`use ${resource}`);
    return this.used.promise;
  }
  interrupt(resource: string): void {
    expect(resource).toBe("connection");
    this.interrupts++;
  }
  isInterrupt(error: unknown): boolean {
    return error === INTERRUPTED;
  }
  release(resource: string, wasStopped: boolean): Promise<void> {
    this.events.push(`release ${resource}, ${wasStopped ? "stopped" : "not stopped"}`);
    return this.released.promise;
  }
}

/** Starts an operation under a context with a ledger. It runs up to `use`, unless it has to wait. */
async function start(operation: TestOperation, ctx = withCancel(withLedger(background()))) {
  const state: { outcome?: { value: string } | { error: unknown } } = {};
  const running = runInterruptible(ctx, operation);
  running.then(
    (value) => (state.outcome = { value }),
    (error: unknown) => (state.outcome = { error }),
  );
  await settle();
  return { ctx, state };
}

async function startUse(operation: TestOperation) {
  operation.opened.resolve("connection");
  return await start(operation);
}

async function receiptOf(ctx: CancelableContext): Promise<unknown> {
  return (await stopped(ctx)).map(({ kind, state }) => `${kind}: ${state}`);
}

describe("an operation of an engine", () => {
  test("has its place from before `open` until `release` has ended, and settles then", async () => {
    const operation = new TestOperation();
    const { ctx, state } = await start(operation);
    expect(operation.events).toEqual(["open"]);
    expect(operation.places.free).toBe(0);
    expect(working(ctx)).toMatchObject([{ kind: "test.query", what: "SELECT 1" }]);
    operation.opened.resolve("connection");
    operation.used.resolve("result");
    await settle();
    const steps = ["open", "use connection", "release connection, not stopped"];
    expect(operation.events).toEqual(steps);
    expect(state.outcome).toBeUndefined();
    expect(operation.places.free).toBe(0);
    operation.released.resolve();
    await settle();
    expect(state.outcome).toEqual({ value: "result" });
    expect(operation.places.free).toBe(1);
    expect(working(ctx)).toEqual([]);
    expect(vi.getTimerCount()).toBe(0);
  });

  test("waits for a place, and is not in the ledger until it has one", async () => {
    const places = new Semaphore(1);
    const place = await places.acquire(background());
    const operation = new TestOperation(places);
    const { ctx } = await start(operation);
    expect(operation.events).toEqual([]);
    expect(working(ctx)).toEqual([]);
    place.release();
    await settle();
    expect(operation.events).toEqual(["open"]);
  });

  test("whose context ends while it waits for a place is never opened, and takes no place", async () => {
    const places = new Semaphore(1);
    const place = await places.acquire(background());
    const operation = new TestOperation(places);
    const { ctx, state } = await start(operation);
    ctx.cancel();
    await settle();
    expect(state.outcome).toEqual({ error: ctx.err() });
    place.release();
    expect(places.free).toBe(1);
    expect(operation.events).toEqual([]);
  });

  test("whose context ends when it has just got its place is never opened, and gives the place back", async () => {
    const operation = new TestOperation();
    const ctx = withCancel(background());
    const running = runInterruptible(ctx, operation);
    ctx.cancel();
    expect(await rejection(running)).toBe(ctx.err());
    await settle();
    expect(operation.events).toEqual([]);
    expect(operation.places.free).toBe(1);
  });

  test("that cannot be opened rejects with that error, and gives its place back", async () => {
    const operation = new TestOperation();
    const { state } = await start(operation);
    const refused = new Error("the database is closed");
    operation.opened.reject(refused);
    await settle();
    expect(state.outcome).toEqual({ error: refused });
    expect(operation.events).toEqual(["open"]);
    expect(operation.places.free).toBe(1);
  });

  test("that fails rejects with its own error, after its release", async () => {
    const operation = new TestOperation();
    const { state } = await startUse(operation);
    const own = new Error("syntax error");
    operation.used.reject(own);
    await settle();
    expect(operation.events.at(-1)).toBe("release connection, not stopped");
    expect(state.outcome).toBeUndefined();
    operation.released.resolve();
    await settle();
    expect(state.outcome).toEqual({ error: own });
  });

  test("rejects with the error of its release, and gives its place back", async () => {
    const operation = new TestOperation();
    const { state } = await startUse(operation);
    const error = new Error("the rollback failed");
    operation.used.resolve("result");
    operation.released.reject(error);
    await settle();
    expect(state.outcome).toEqual({ error });
    expect(operation.places.free).toBe(1);
  });

  test("that foreign code interrupts rejects with the engine's error, and was not stopped", async () => {
    const operation = new TestOperation();
    const { state } = await startUse(operation);
    operation.used.reject(INTERRUPTED);
    operation.released.resolve();
    await settle();
    expect(operation.events.at(-1)).toBe("release connection, not stopped");
    expect(state.outcome).toEqual({ error: INTERRUPTED });
    expect(operation.interrupts).toBe(0);
  });
});

describe("an operation of an engine whose context ends", () => {
  test("is interrupted at once, and every 3 ms until it ends, because an engine may miss an interrupt", async () => {
    const operation = new TestOperation();
    const { ctx, state } = await startUse(operation);
    ctx.cancel();
    await settle();
    expect(operation.interrupts).toBe(1);
    await vi.advanceTimersByTimeAsync(2);
    expect(operation.interrupts).toBe(1);
    await vi.advanceTimersByTimeAsync(1);
    expect(operation.interrupts).toBe(2);
    await vi.advanceTimersByTimeAsync(30);
    expect(operation.interrupts).toBe(12);
    operation.used.reject(INTERRUPTED);
    operation.released.resolve();
    await settle();
    expect(operation.events.at(-1)).toBe("release connection, stopped");
    expect(state.outcome).toEqual({ error: ctx.err() });
    expect(await receiptOf(ctx)).toEqual(["test.query: stopped"]);
    expect(operation.places.free).toBe(1);
    expect(vi.getTimerCount()).toBe(0);
  });

  test("is not interrupted after `use` has settled, however long its release takes", async () => {
    const operation = new TestOperation();
    const { ctx, state } = await startUse(operation);
    ctx.cancel();
    await settle();
    operation.used.reject(INTERRUPTED);
    await vi.advanceTimersByTimeAsync(1_000);
    expect(operation.interrupts).toBe(1);
    expect(state.outcome).toBeUndefined();
    operation.released.resolve();
    await settle();
    expect(state.outcome).toEqual({ error: ctx.err() });
  });

  test("is not interrupted at all if that happens during its release", async () => {
    const operation = new TestOperation();
    const { ctx, state } = await startUse(operation);
    operation.used.resolve("result");
    await settle();
    ctx.cancel();
    await vi.advanceTimersByTimeAsync(1_000);
    expect(operation.interrupts).toBe(0);
    operation.released.resolve();
    await settle();
    expect(state.outcome).toEqual({ value: "result" });
    expect(vi.getTimerCount()).toBe(0);
  });

  test("while it is being opened leaves its caller at once, and is then released without being used", async () => {
    const operation = new TestOperation();
    const { ctx, state } = await start(operation);
    expect(operation.openCtx).toBe(ctx);
    ctx.cancel();
    await settle();
    expect(state.outcome).toEqual({ error: ctx.err() });
    expect(await receiptOf(ctx)).toEqual(["test.query: stopped"]);
    expect(operation.places.free).toBe(0);
    await vi.advanceTimersByTimeAsync(10_000);
    expect(operation.events).toEqual(["open"]);
    operation.opened.resolve("connection");
    await settle();
    expect(operation.events).toEqual(["open", "release connection, not stopped"]);
    expect(operation.places.free).toBe(0);
    operation.released.resolve();
    await settle();
    expect(operation.places.free).toBe(1);
    expect(operation.interrupts).toBe(0);
    expect(vi.getTimerCount()).toBe(0);
  });

  test("while it is being opened gives its place back although it cannot be opened", async () => {
    const operation = new TestOperation();
    const { ctx, state } = await start(operation);
    ctx.cancel();
    await settle();
    operation.opened.reject(new Error("the database is closed"));
    await settle();
    expect(state.outcome).toEqual({ error: ctx.err() });
    expect(operation.events).toEqual(["open"]);
    expect(operation.places.free).toBe(1);
  });

  test("resolves with a result that beats the interrupt", async () => {
    const operation = new TestOperation();
    const { ctx, state } = await startUse(operation);
    ctx.cancel();
    await settle();
    operation.used.resolve("result");
    operation.released.resolve();
    await settle();
    expect(state.outcome).toEqual({ value: "result" });
    expect(operation.events.at(-1)).toBe("release connection, not stopped");
  });

  test("rejects with an error that no interrupt has caused, unchanged, and was not stopped", async () => {
    const operation = new TestOperation();
    const { ctx, state } = await startUse(operation);
    ctx.cancel();
    await settle();
    const own = new Error("division by zero");
    operation.used.reject(own);
    operation.released.resolve();
    await settle();
    expect(state.outcome).toEqual({ error: own });
    expect(operation.events.at(-1)).toBe("release connection, not stopped");
  });

  test("is interrupted again although an interrupt has thrown, and that is no warning", async () => {
    const operation = new TestOperation();
    let calls = 0;
    operation.interrupt = () => {
      calls++;
      throw new Error("the connection is closed");
    };
    const { ctx, state } = await startUse(operation);
    ctx.cancel();
    await vi.advanceTimersByTimeAsync(30);
    expect(calls).toBe(11);
    operation.used.reject(INTERRUPTED);
    operation.released.resolve();
    await settle();
    expect(state.outcome).toEqual({ error: ctx.err() });
    expect(warnings).toEqual([]);
  });

  test("is abandoned after the stop timeout, and keeps its place and its interrupts until it ends", async () => {
    const operation = new TestOperation();
    const { ctx, state } = await startUse(operation);
    ctx.cancel();
    await vi.advanceTimersByTimeAsync(1_999);
    expect(state.outcome).toBeUndefined();
    await vi.advanceTimersByTimeAsync(1);
    expect(state.outcome).toEqual({ error: ctx.err() });
    expect(await receiptOf(ctx)).toEqual(["test.query: abandoned"]);
    expect(operation.places.free).toBe(0);

    const next = new TestOperation(operation.places);
    next.opened.resolve("connection");
    await start(next);
    operation.interrupts = 0;
    await vi.advanceTimersByTimeAsync(1_000);
    expect(operation.interrupts).toBe(10); // fewer than before, and no longer on two timers
    expect(vi.getTimerCount()).toBe(1);
    operation.used.reject(INTERRUPTED);
    await vi.advanceTimersByTimeAsync(1_000);
    expect(operation.events.at(-1)).toBe("release connection, stopped");
    expect(operation.interrupts).toBe(10);
    expect(next.events).toEqual([]);
    operation.released.resolve();
    await settle();
    expect(next.events).toEqual(["open", "use connection"]);
    await vi.advanceTimersByTimeAsync(1_000);
    expect([operation.interrupts, next.interrupts]).toEqual([10, 0]);
    expect(vi.getTimerCount()).toBe(0);
  });

  test("does not keep the process alive after it was abandoned", async () => {
    const set = vi.spyOn(globalThis, "setInterval");
    const operation = new TestOperation();
    const { ctx } = await startUse(operation);
    ctx.cancel();
    await vi.advanceTimersByTimeAsync(2_000);
    const timer = set.mock.results.at(-1)?.value as NodeJS.Timeout;
    expect(timer.hasRef()).toBe(false);
    operation.used.resolve("result");
    operation.released.resolve();
    await settle();
    expect(vi.getTimerCount()).toBe(0);
    set.mockRestore();
  });
});

/** How a stream of an engine is read, left and stopped, with an engine that the tests control. */
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import {
  background,
  stopped,
  withCancel,
  withLedger,
  type Context,
  Semaphore,
} from "../../index.ts";
import { Deferred, rejection, watchReports } from "../../../test/support/reports.ts";
import { EngineStream, type StreamOperation } from "./stream.ts";

watchReports();
beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

const INTERRUPTED = new Error("INTERRUPT Error");

/** Lets promises settle, and no time pass. */
const settle = () => vi.advanceTimersByTimeAsync(0);

/** A stream whose batches the test provides one by one. `events` lists what began, in order. */
class TestOperation implements StreamOperation<string, number> {
  readonly kind = "test.stream";
  readonly what = "SELECT n";
  readonly places = new Semaphore(1);
  readonly events: string[] = [];
  readonly finished = new Deferred();
  batch = new Deferred<readonly number[] | undefined>();
  interrupts = 0;

  openCtx: Context | undefined;

  open(ctx: Context): string {
    this.events.push("open");
    this.openCtx = ctx;
    return "connection";
  }
  fetch(resource: string): Promise<readonly number[] | undefined> {
    this.events.push(`fetch from ${resource}`);
    this.batch = new Deferred();
    return this.batch.promise;
  }
  interrupt(resource: string): void {
    expect(resource).toBe("connection");
    this.interrupts++;
  }
  isInterrupt(error: unknown): boolean {
    return error === INTERRUPTED;
  }
  finish(resource: string, end: string): Promise<void> {
    this.events.push(`finish ${resource}: ${end}`);
    return this.finished.promise;
  }
  release(resource: string, wasStopped: boolean): void {
    this.events.push(`release ${resource}, ${wasStopped ? "stopped" : "not stopped"}`);
  }
}

/** A stream that has its connection, and how it has ended. */
async function start(operation = new TestOperation()) {
  const ctx = withCancel(withLedger(background()));
  const stream = new EngineStream(ctx, operation);
  const state: { ended?: "resolved" | { error: unknown } } = {};
  stream.ended.then(
    () => (state.ended = "resolved"),
    (error: unknown) => (state.ended = { error }),
  );
  await settle();
  return { ctx, stream, state, operation, events: operation.events };
}

/** A stream from which one batch was read. */
async function startReading() {
  const started = await start();
  const { stream, operation } = started;
  const next = stream.next();
  await settle();
  operation.batch.resolve([1, 2]);
  expect(await next).toEqual([1, 2]);
  operation.events.length = 0;
  return started;
}

async function hasSettled(promise: Promise<unknown>): Promise<boolean> {
  let settled = false;
  const note = (): void => void (settled = true);
  promise.then(note, note);
  await settle();
  return settled;
}

describe("a stream of an engine", () => {
  test("fetches a batch each time that its loop asks, and holds its place until it is finished", async () => {
    const { ctx, stream, state, operation, events } = await start();
    expect(operation.openCtx).toBe(ctx);
    await settle();
    expect(events).toEqual(["open"]); // nothing is fetched before the loop asks
    for (const batch of [[1, 2], [3]]) {
      const next = stream.next();
      await settle();
      operation.batch.resolve(batch);
      expect(await next).toEqual(batch);
      await settle();
    }
    expect(events).toEqual(["open", "fetch from connection", "fetch from connection"]);
    const end = stream.next();
    await settle();
    operation.batch.resolve(undefined);
    expect(await hasSettled(end)).toBe(false);
    expect(events.slice(3)).toEqual(["fetch from connection", "finish connection: complete"]);
    expect(operation.places.free).toBe(0);
    operation.finished.resolve();
    expect(await end).toBeUndefined();
    expect(state.ended).toBe("resolved");
    await stream.close();
    await settle();
    expect(events.slice(5)).toEqual(["release connection, not stopped"]);
    expect(operation.places.free).toBe(1);
  });

  test("fetches again after an empty batch", async () => {
    const { stream, operation, events } = await start();
    const next = stream.next();
    await settle();
    operation.batch.resolve([]);
    expect(await hasSettled(next)).toBe(false);
    expect(events).toEqual(["open", "fetch from connection", "fetch from connection"]);
    operation.batch.resolve([1]);
    expect(await next).toEqual([1]);
  });

  test("that its loop leaves is finished, and its close waits for that", async () => {
    const { stream, state, operation, events } = await startReading();
    const closed = stream.close();
    expect(await hasSettled(closed)).toBe(false);
    expect(events).toEqual(["finish connection: left"]);
    operation.finished.resolve();
    await closed;
    await settle();
    expect(state.ended).toBe("resolved");
    expect(events).toEqual(["finish connection: left", "release connection, not stopped"]);
  });

  test("that its loop leaves before it has its turn is finished without a fetch", async () => {
    const operation = new TestOperation();
    const stream = new EngineStream(background(), operation);
    operation.finished.resolve();
    await stream.close();
    expect(operation.events).toEqual([
      "open",
      "finish connection: left",
      "release connection, not stopped",
    ]);
  });

  test("that its loop leaves while a batch is fetched is finished after that batch", async () => {
    const { stream, operation, events } = await start();
    const next = stream.next();
    await settle();
    const closed = stream.close();
    await settle();
    expect(events).toEqual(["open", "fetch from connection"]);
    operation.batch.resolve([1]);
    operation.finished.resolve();
    await closed;
    expect(events.slice(2)).toEqual(["finish connection: left", "release connection, not stopped"]);
    expect(await next).toBeUndefined();
  });

  test("that cannot be finished after its loop was left rejects its close, such as with a COMMIT's error", async () => {
    const { stream, operation } = await startReading();
    const closed = stream.close();
    const error = new Error("the COMMIT failed");
    operation.finished.reject(error);
    expect(await rejection(closed)).toBe(error);
  });

  test("that fails rejects its next batch with that error, and closes without an error", async () => {
    const { stream, state, operation, events } = await startReading();
    const next = stream.next();
    next.catch(() => undefined);
    await settle();
    const own = new Error("division by zero");
    operation.batch.reject(own);
    await settle();
    expect(events).toEqual(["fetch from connection", "finish connection: failed"]);
    operation.finished.resolve();
    expect(await rejection(next)).toBe(own);
    expect(state.ended).toEqual({ error: own });
    await stream.close();
    expect(events.at(-1)).toBe("release connection, not stopped");
  });
});

describe("a stream of an engine whose context ends", () => {
  test("while a batch is fetched is interrupted, finished and released", async () => {
    const { ctx, stream, state, operation, events } = await startReading();
    const next = stream.next();
    next.catch(() => undefined);
    await settle();
    ctx.cancel();
    await vi.advanceTimersByTimeAsync(30);
    expect(operation.interrupts).toBe(11);
    operation.batch.reject(INTERRUPTED);
    await vi.advanceTimersByTimeAsync(30);
    expect(operation.interrupts).toBe(11); // none while it is being finished
    expect(events).toEqual(["fetch from connection", "finish connection: failed"]);
    operation.finished.resolve();
    expect(await rejection(next)).toBe(ctx.err());
    expect(state.ended).toEqual({ error: ctx.err() });
    expect(events.at(-1)).toBe("release connection, stopped");
    expect(await stopped(ctx)).toMatchObject([
      { kind: "test.stream", what: "SELECT n", state: "stopped" },
    ]);
    await stream.close();
  });

  test("throws an error that no interrupt has caused, unchanged, and was not stopped", async () => {
    const { ctx, stream, state, operation, events } = await startReading();
    operation.finished.resolve();
    const next = stream.next();
    next.catch(() => undefined);
    await settle();
    ctx.cancel();
    await settle();
    const own = new Error("division by zero");
    operation.batch.reject(own);
    expect(await rejection(next)).toBe(own);
    expect(state.ended).toEqual({ error: own });
    expect(events.at(-1)).toBe("release connection, not stopped");
  });

  test("between two batches ends without an interrupt, although its loop does not ask for rows", async () => {
    const { ctx, stream, state, operation, events } = await startReading();
    operation.finished.resolve();
    ctx.cancel();
    await settle();
    expect(state.ended).toEqual({ error: ctx.err() });
    expect(operation.interrupts).toBe(0);
    expect(events).toEqual(["finish connection: failed", "release connection, stopped"]);
    expect(operation.places.free).toBe(1);
    expect(await rejection(stream.next())).toBe(ctx.err());
    await stream.close();
    expect(vi.getTimerCount()).toBe(0);
  });

  test("before its loop has asked for a batch ends without an interrupt", async () => {
    const { ctx, state, operation, events } = await start();
    operation.finished.resolve();
    ctx.cancel();
    await settle();
    expect(state.ended).toEqual({ error: ctx.err() });
    expect(operation.interrupts).toBe(0);
    expect(events.slice(1)).toEqual(["finish connection: failed", "release connection, stopped"]);
  });

  test("after a batch that the interrupt has not hit ends between that batch and the next", async () => {
    const { ctx, stream, state, operation, events } = await startReading();
    operation.finished.resolve();
    const next = stream.next();
    await settle();
    ctx.cancel();
    await settle();
    operation.batch.resolve([3]);
    expect(await next).toEqual([3]);
    await vi.advanceTimersByTimeAsync(3);
    expect(state.ended).toEqual({ error: ctx.err() });
    expect(events.at(-1)).toBe("release connection, stopped");
    expect(await rejection(stream.next())).toBe(ctx.err());
  });

  test("while it is finished after its last batch is complete", async () => {
    const { ctx, stream, state, operation, events } = await startReading();
    const end = stream.next();
    await settle();
    operation.batch.resolve(undefined);
    await settle();
    ctx.cancel();
    await vi.advanceTimersByTimeAsync(30);
    expect(operation.interrupts).toBe(0);
    operation.finished.resolve();
    expect(await end).toBeUndefined();
    expect(state.ended).toBe("resolved");
    expect(events.at(-1)).toBe("release connection, not stopped");
  });

  test("while it waits for its turn is never opened, and throws that error", async () => {
    const operation = new TestOperation();
    await operation.places.acquire(background());
    const { ctx, stream, state } = await start(operation);
    ctx.cancel();
    expect(await rejection(stream.next())).toBe(ctx.err());
    expect(state.ended).toEqual({ error: ctx.err() });
    expect(operation.events).toEqual([]);
    await stream.close();
  });
});

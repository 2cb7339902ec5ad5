import { expect, test } from "vitest";
import { RowBuffer } from "./row-buffer.ts";

/** A buffer, and the calls that its source has received. */
function start(capacity?: number) {
  const calls: string[] = [];
  const rows = new RowBuffer<number>(
    {
      resume: () => void calls.push("resume"),
      pause: () => void calls.push("pause"),
      close: () => void calls.push("close"),
    },
    capacity,
  );
  return { rows, calls };
}

/** Runs what is queued, and returns whether the promise has settled by then. */
async function hasSettled(promise: Promise<unknown>): Promise<boolean> {
  let settled = false;
  const settle = (): void => void (settled = true);
  promise.then(settle, settle);
  await new Promise(setImmediate);
  return settled;
}

test("next() resolves with all rows that have arrived, in order, and then with undefined at the end", async () => {
  const { rows, calls } = start();
  rows.push(1);
  rows.pushAll([2, 3]);
  expect(await rows.next()).toEqual([1, 2, 3]);
  rows.push(4);
  rows.end();
  expect(await rows.next()).toEqual([4]);
  expect(await rows.next()).toBeUndefined();
  expect(await rows.next()).toBeUndefined();
  expect(calls).toEqual([]);
});

test("next() resumes the source only when the buffer is empty, and waits for a row", async () => {
  const { rows, calls } = start();
  const next = rows.next();
  expect(calls).toEqual(["resume"]);
  expect(await hasSettled(next)).toBe(false);
  rows.push(1);
  expect(await next).toEqual([1]);
  expect(calls).toEqual(["resume"]);
});

test("next() resolves with rows that the source pushes before resume() returns", async () => {
  const rows: RowBuffer<number> = new RowBuffer({
    resume: () => rows.push(1),
    close: () => undefined,
  });
  expect(await rows.next()).toEqual([1]);
  expect(await rows.next()).toEqual([1]);
});

test("next() asks the source again after an empty batch", async () => {
  const { rows, calls } = start();
  const next = rows.next();
  rows.pushAll([]);
  expect(await hasSettled(next)).toBe(false);
  expect(calls).toEqual(["resume", "resume"]);
  rows.end();
  expect(await next).toBeUndefined();
});

test("next() rejects with the error of the source, after the rows that arrived before it", async () => {
  const { rows } = start();
  const error = new Error("the connection was reset");
  rows.push(1);
  rows.fail(error);
  rows.end(); // the first end counts
  expect(await rows.next()).toEqual([1]);
  await expect(rows.next()).rejects.toBe(error);
});

test("next() rejects when the source fails while the loop waits", async () => {
  const { rows } = start();
  const next = rows.next();
  rows.fail(undefined);
  await expect(next).rejects.toBeUndefined();
});

test("a full buffer pauses its source once, until the loop has read the rows and waits again", async () => {
  const { rows, calls } = start(2);
  rows.push(1);
  expect(calls).toEqual([]);
  rows.push(2);
  rows.push(3); // was on its way
  expect(calls).toEqual(["pause"]);
  expect(await rows.next()).toEqual([1, 2, 3]);
  expect(calls).toEqual(["pause"]);
  const next = rows.next();
  expect(calls).toEqual(["pause", "resume"]);
  rows.pushAll([4, 5]);
  expect(calls).toEqual(["pause", "resume", "pause"]);
  expect(await next).toEqual([4, 5]);
});

test("a full buffer needs no `pause` of a source that stops by itself after each batch", async () => {
  const rows = new RowBuffer<number>({ resume: () => undefined, close: () => undefined }, 2);
  rows.pushAll([1, 2, 3]);
  expect(await rows.next()).toEqual([1, 2, 3]);
});

test("close() closes the source once, drops every row, and resolves when the source has ended", async () => {
  const { rows, calls } = start(1);
  rows.push(1);
  calls.length = 0;
  const closed = [rows.close(), rows.close()];
  rows.push(2);
  rows.pushAll([3]);
  expect(await hasSettled(Promise.race(closed))).toBe(false);
  expect(calls).toEqual(["close"]);
  rows.end();
  await Promise.all(closed);
  expect(await rows.next()).toBeUndefined();
});

test("close() does not close a source that has ended, and never rejects", async () => {
  const { rows, calls } = start();
  rows.fail(new Error("the connection was reset"));
  await rows.close();
  expect(calls).toEqual([]);
});

test("close() resolves even if next() is waiting at the same time", async () => {
  const { rows } = start();
  const next = rows.next();
  const closed = rows.close();
  rows.end();
  await closed;
  expect(await next).toBeUndefined();
});

test("discard() drops the rows, resumes the source, and lets next() wait for the end", async () => {
  const { rows, calls } = start(1);
  const error = new Error("context canceled");
  rows.push(1);
  rows.discard();
  expect(calls).toEqual(["pause", "resume"]);
  rows.push(2);
  const next = rows.next();
  expect(await hasSettled(next)).toBe(false);
  rows.fail(error);
  await expect(next).rejects.toBe(error);
});

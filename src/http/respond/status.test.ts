import { expect, test } from "vitest";
import { background, withCancel, withTimeout } from "../../index.ts";
import { fromWire, toWire } from "../../wire/index.ts";
import {
  ClientDisconnected,
  LocalTimeout,
  MalformedDeadline,
  RemoteDeadline,
  RequestFinished,
  Shutdown,
  statusOf,
} from "../index.ts";

test.each([
  [new ClientDisconnected(), 499],
  [new RequestFinished(), 200],
  [new LocalTimeout(), 503],
  [new RemoteDeadline(), 504],
  [new MalformedDeadline(), 400],
  [new Shutdown(), 503],
])("%s means %i, as a cause, as a reason and by itself", (cause, status) => {
  const ctx = withCancel(background());
  ctx.cancel(cause);
  expect(statusOf(ctx)).toBe(status);
  expect(statusOf(ctx.err())).toBe(status);
  expect(statusOf(ctx.signal.reason)).toBe(status);
  expect(statusOf(new Error("report failed", { cause: ctx.err() }))).toBe(status);
  expect(statusOf(cause)).toBe(status);
});

test("a deadline means what its cause says", () => {
  using caller = withTimeout(background(), 0, { cause: new RemoteDeadline() });
  using own = withTimeout(background(), 0);
  expect([caller, own].map(statusOf)).toEqual([504, 503]);
});

test("any other cancellation is the server's doing: 503, and never 499", () => {
  const ctx = withCancel(background());
  ctx.cancel(new Error("a sibling failed"));
  expect(statusOf(ctx)).toBe(503);
});

test("what lives or has finished has gone wrong nowhere", () => {
  const ctx = withCancel(background());
  expect(statusOf(ctx)).toBe(200);
  ctx.cancel(new RequestFinished());
  expect(statusOf(ctx)).toBe(200);
});

test("anything else is 500", () => {
  const loop: { cause?: unknown } = {};
  loop.cause = loop;
  for (const x of [new TypeError("x"), "x", 7, null, undefined, {}, loop, { cause: null }]) {
    expect(statusOf(x)).toBe(500);
  }
});

test("the client of another server is not ours: the brand stays at home, the code travels", () => {
  const ctx = withCancel(background());
  ctx.cancel(new ClientDisconnected());
  const there = fromWire(JSON.parse(JSON.stringify(toWire(ctx.err()))));
  expect(statusOf(there)).toBe(503);
  expect(there.cause).toMatchObject({
    name: "ClientDisconnected",
    code: "ERR_CLIENT_DISCONNECTED",
  });
});

test("causes are recognised by brand, not by class", () => {
  const brand = Symbol.for("eightysix.http.status");
  expect(statusOf(Object.assign(new Error("from another copy"), { [brand]: 504 }))).toBe(504);
});

test("causes are errors without a stack, which would name the wrong culprit", () => {
  expect(String(new Shutdown())).toBe("Shutdown: the server is shutting down");
  expect(new Shutdown().stack).toBe("Shutdown: the server is shutting down");
  expect(new LocalTimeout().code).toBe("ERR_LOCAL_TIMEOUT");
});

import { expect, test } from "vitest";
import { hostileValues } from "../../../test/support/hostile-values.ts";
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
])(
  "the status of %s is %i, as the cause of a context, as its reason and by itself",
  (cause, status) => {
    const ctx = withCancel(background());
    ctx.cancel(cause);
    expect(statusOf(ctx)).toBe(status);
    expect(statusOf(ctx.err())).toBe(status);
    expect(statusOf(ctx.signal.reason)).toBe(status);
    expect(statusOf(new Error("report failed", { cause: ctx.err() }))).toBe(status);
    expect(statusOf(cause)).toBe(status);
  },
);

test("the status of a deadline is that of its cause, and 503 without one", () => {
  using caller = withTimeout(background(), 0, { cause: new RemoteDeadline() });
  using own = withTimeout(background(), 0);
  expect([caller, own].map(statusOf)).toEqual([504, 503]);
});

test("the status of any other cancellation is 503, and never 499", () => {
  const ctx = withCancel(background());
  ctx.cancel(new Error("a sibling failed"));
  expect(statusOf(ctx)).toBe(503);
});

test("the status of a live or finished context is 200", () => {
  const ctx = withCancel(background());
  expect(statusOf(ctx)).toBe(200);
  ctx.cancel(new RequestFinished());
  expect(statusOf(ctx)).toBe(200);
});

test("the status of anything else is 500", () => {
  const loop: { cause?: unknown } = {};
  loop.cause = loop;
  for (const x of [new TypeError("x"), "x", 7, null, undefined, {}, loop, { cause: null }]) {
    expect(statusOf(x)).toBe(500);
  }
});

test.each(hostileValues)("the status of a value such as %s is 500", (_name, make) => {
  expect(statusOf(make())).toBe(500);
});

test("a ClientDisconnected of another server has the status 503 here, and keeps its code", () => {
  const ctx = withCancel(background());
  ctx.cancel(new ClientDisconnected());
  const received = fromWire(JSON.parse(JSON.stringify(toWire(ctx.err()))));
  expect(statusOf(received)).toBe(503);
  expect(received.cause).toMatchObject({
    name: "ClientDisconnected",
    code: "ERR_CLIENT_DISCONNECTED",
  });
});

test("a cause of another copy of the package is recognized by its brand", () => {
  const brand = Symbol.for("eightysix.http.status");
  expect(statusOf(Object.assign(new Error("from another copy"), { [brand]: 504 }))).toBe(504);
});

test("causes have a message and a code, and no stack", () => {
  expect(String(new Shutdown())).toBe("Shutdown: the server is shutting down");
  expect(new Shutdown().stack).toBe("Shutdown: the server is shutting down");
  expect(new LocalTimeout().code).toBe("ERR_LOCAL_TIMEOUT");
});

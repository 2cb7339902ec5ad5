import { IncomingMessage } from "node:http";
import { Socket } from "node:net";
import { expect, test } from "vitest";
import { background } from "../index.ts";
import { isolationLevel } from "./isolation.ts";
import { needContext, needFunction } from "./misuse.ts";
import { sessionMethods } from "./sessions.ts";
import { settingsOf } from "./settings.ts";
import { NothingCommittedError } from "./transaction.ts";

const tx = sessionMethods({ take: () => Promise.reject(new Error("no connection")) });
const pool = { connect: () => undefined, query: () => undefined };

test.each<[what: string, ctx: unknown, message: RegExp]>([
  ["a string", "select 1", /got the string "select 1"; write query\(ctx, sql\); pass the caller's/],
  ["undefined", undefined, /got undefined; write query\(ctx, sql\); pass the caller's ctx/],
  ["a signal", AbortSignal.timeout(1), /AbortSignal; .*use withSignal\(background\(\), signal\)/],
  ["a request", new IncomingMessage(new Socket()), /IncomingMessage; .*pass req\.ctx/],
  ["a transaction's tx", tx, /for a statement of a transaction, write tx\.query\(ctx, sql\)/],
  ["a pool", pool, /wrap a pool or a client with withContext, and pass the caller's ctx here/],
])("needContext throws for %s and says what to pass instead", (_, ctx, message) => {
  const check = (): void => needContext(ctx, "query(ctx, sql)");
  expect(check).toThrow(TypeError);
  expect(check).toThrow(/^query needs a Context as its first argument, got /);
  expect(check).toThrow(message);
});

test("needContext accepts a context", () => {
  needContext(background(), "query(ctx, sql)");
});

test("needFunction throws for anything but a function and says how to write the call", () => {
  expect(() => needFunction(7, "run(ctx, fn)")).toThrow(
    "run needs a function to run, got number 7; write run(ctx, fn)",
  );
});

test("isolationLevel returns SQL, and throws for an unknown level", () => {
  expect(isolationLevel("repeatable read")).toBe("ISOLATION LEVEL REPEATABLE READ");
  expect(() => isolationLevel("snapshot" as never)).toThrow(
    'isolation is one of read uncommitted, read committed, repeatable read, serializable; got the string "snapshot"',
  );
  expect(() => isolationLevel({} as never)).toThrow("got an object of class Object");
});

test("settingsOf adds the defaults", () => {
  const defaults = { onCancel: "auto", stopTimeout: 2_000, serverTimeout: false };
  expect(settingsOf({})).toEqual(defaults);
  expect(settingsOf({}, 3_000)).toEqual({ ...defaults, stopTimeout: 3_000 });
  expect(settingsOf({ stopTimeout: 0 }, 3_000).stopTimeout).toBe(0);
  expect(settingsOf({ stopTimeout: -1 }).stopTimeout).toBe(-1);
});

test.each<[options: object, message: string]>([
  [
    { stopTimout: 100 },
    'withContext got the unknown option "stopTimout"; its options are: onCancel',
  ],
  [{ onCancel: "reset" }, 'onCancel is "auto", "reuse" or "destroy", got the string "reset"'],
  [{ stopTimeout: NaN }, "stopTimeout is a finite number of milliseconds, got number NaN"],
  [{ stopTimeout: "2s" }, 'stopTimeout is a finite number of milliseconds, got the string "2s"'],
  [{ stopTimeout: Infinity }, "stopTimeout is a finite number of milliseconds"],
  [{ serverTimeout: 500 }, "serverTimeout is true or false, got number 500"],
])("settingsOf throws a TypeError for %o", (options, message) => {
  expect(() => settingsOf(options)).toThrow(TypeError);
  expect(() => settingsOf(options)).toThrow(message);
});

test("NothingCommittedError has a name, a code and a message that says what to do", () => {
  const error = new NothingCommittedError();
  expect(error).toMatchObject({ name: "NothingCommittedError", code: "ERR_NOTHING_COMMITTED" });
  expect(error.message).toMatch(/^nothing was committed, because .*; let its error leave/);
});

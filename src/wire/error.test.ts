import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { hostileValues } from "../../test/support/hostile-values.ts";
import {
  background,
  CanceledError,
  DeadlineExceededError,
  isCanceled,
  isContextError,
  isDeadlineExceeded,
  withCancel,
} from "../index.ts";
import { fromWire, toWire } from "./index.ts";

describe.each(hostileValues)("%s", (_name, make) => {
  test("does not make toWire or fromWire throw, also as a cause and with a context's code", () => {
    for (const x of [make(), { cause: make() }, { code: "ERR_CONTEXT_CANCELED", cause: make() }]) {
      const wire = toWire(x);
      expect(JSON.parse(JSON.stringify(wire))).toEqual(structuredClone(wire));
      expect(fromWire(x)).toBeInstanceOf(Error);
      expect(fromWire(wire)).toBeInstanceOf(Error);
    }
  });
});

test("toWire drops a name that is not a string and a code that is an object", () => {
  const error = fromWire({ name: 1, message: {}, code: {} });
  expect([error.name, error.message, "code" in error]).toEqual(["Error", "", false]);
});

describe("toWire and fromWire", () => {
  test("keep class, cause, name, message and code through JSON and structuredClone", () => {
    const driver = Object.assign(new RangeError("canceling statement"), { code: "57014" });
    const error = new Error("report", {
      cause: new CanceledError({ cause: new TypeError("left", { cause: driver }) }),
    });
    for (const copy of [
      (x: unknown): unknown => JSON.parse(JSON.stringify(x)),
      (x: unknown): unknown => structuredClone(x),
    ]) {
      const back = fromWire(copy(toWire(error)));
      expect(isCanceled(back)).toBe(true);
      const names: string[] = [];
      for (let e: unknown = back; e instanceof Error; e = e.cause) names.push(String(e));
      expect(names).toEqual([
        "Error: report",
        "AbortError: context canceled",
        "TypeError: left",
        "RangeError: canceling statement",
      ]);
      expect(toWire(back)).toEqual(toWire(error));
    }
    expect(isDeadlineExceeded(fromWire(toWire(new DeadlineExceededError())))).toBe(true);
  });

  test("make an error that can be the cause of a cancel, and is recognized there", () => {
    const ctx = withCancel(background());
    ctx.cancel(fromWire(toWire(new DeadlineExceededError({ cause: "remote" }))));
    expect(isCanceled(ctx.err())).toBe(true);
    expect(isDeadlineExceeded(ctx.err()?.cause)).toBe(true);
  });

  test("send no stack and no other property of an error", () => {
    const error = Object.assign(new Error("x"), { password: "hunter2" });
    expect(JSON.stringify(toWire(error))).toBe('{"name":"Error","message":"x"}');
  });

  test("cut a chain of causes that is too long", () => {
    let error = new Error("0");
    for (let i = 1; i < 10_000; i++) error = new Error(String(i), { cause: error });
    const back = fromWire(JSON.parse(JSON.stringify(toWire(error))));
    let depth = 0;
    for (let e: unknown = back; e !== undefined; e = (e as Error).cause) depth++;
    expect(depth).toBe(32);
  });

  test("take any value", () => {
    fc.assert(
      fc.property(
        fc.anything({ withNullPrototype: true, withBigInt: true, withSparseArray: true }),
        (x) => {
          expect(fromWire(x)).toBeInstanceOf(Error);
          JSON.stringify(toWire(x));
          fromWire(toWire(x));
          isContextError(x);
        },
      ),
      { numRuns: 500 },
    );
  });

  const wires = fc.letrec((tie) => ({
    wire: fc.record(
      {
        name: fc.anything(),
        message: fc.oneof(fc.string(), fc.anything()),
        code: fc.oneof(
          fc.constantFrom("ERR_CONTEXT_CANCELED", "ERR_CONTEXT_DEADLINE_EXCEEDED", "57014", 20),
          fc.anything(),
        ),
        cause: fc.oneof({ maxDepth: 6 }, fc.jsonValue(), tie("wire")),
      },
      { requiredKeys: [] },
    ),
  }));

  test("take any data that looks like an error, and return the same after a second trip", () => {
    fc.assert(
      fc.property(wires.wire, (x) => {
        const once = toWire(fromWire(x));
        expect(toWire(fromWire(JSON.parse(JSON.stringify(once))))).toEqual(
          JSON.parse(JSON.stringify(once)),
        );
      }),
      { numRuns: 500 },
    );
  });
});

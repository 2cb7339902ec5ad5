import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { hostileValues } from "../../test/support/hostile-values.ts";
import { CanceledError, DeadlineExceededError, isCanceled, isDeadlineExceeded } from "../index.ts";
import { formatError, fromWire, parseError, toWire } from "./index.ts";

test("an error keeps its class, name, message, code and causes as a text", () => {
  const driver = Object.assign(new RangeError("überlauf\r\nx-injected: 1 \u{1f600}"), { code: 7 });
  const error = new Error("report", { cause: new CanceledError({ cause: driver }) });
  const back = parseError(formatError(error));
  expect(toWire(back)).toEqual(toWire(error));
  expect(isCanceled(back)).toBe(true);
  expect(isDeadlineExceeded(parseError(formatError(new DeadlineExceededError())))).toBe(true);
});

describe("an error that is too long for a header", () => {
  test("loses the end of its message, and keeps its causes", () => {
    const cause = new CanceledError({ cause: new Error("why") });
    const back = parseError(formatError(new Error("x".repeat(100_000), { cause })));
    expect(back.message).toBe("x".repeat(500));
    expect(isCanceled(back)).toBe(true);
    expect((back.cause as Error).cause).toMatchObject({ message: "why" });
  });

  test("loses its deepest causes, if short messages do not suffice", () => {
    let error = new Error("the first");
    for (let i = 0; i < 40; i++) error = new Error(`${i} ${"x".repeat(120)}`, { cause: error });
    const back = parseError(formatError(error));
    const chain: Error[] = [];
    for (let e: unknown = back; e instanceof Error; e = e.cause) chain.push(e);
    expect(chain.map((e) => parseInt(e.message))).toEqual([39, 38, 37, 36, 35, 34, 33, 32]);
  });

  test("keeps at least its own name, message and code", () => {
    const long = "\u{1f600}".repeat(1_000);
    const make = (cause?: unknown) =>
      Object.assign(new Error(long, { cause }), { name: long, code: long });
    const text = formatError(make(make(make())));
    expect(text.length).toBeLessThanOrEqual(4_096);
    const short = "\u{1f600}".repeat(100);
    expect(parseError(text)).toMatchObject({ name: short, message: short, code: short });
  });
});

test.each([
  ["boom", "boom"],
  ["", ""],
  ["{", "{"],
  ['"boom"', "boom"],
  ["17", "17"],
  ["[1]", ""],
  ["null", "null"],
  ['{"message":"m"}', "m"],
  ['{"__proto__":{"message":"m"}}', ""],
])("parseError makes of the text %j an Error with the message %j", (text, message) => {
  const error = parseError(text);
  expect(error).toBeInstanceOf(Error);
  expect(error.message).toBe(message);
});

test("parseError reads a text that is nested a million times", () => {
  const deep = 1_000_000;
  for (const [open, close] of [
    ["[", "]"],
    ['{"cause":', "}"],
  ] as const) {
    expect(parseError(`${open.repeat(deep)}1${close.repeat(deep)}`)).toBeInstanceOf(Error);
    expect(parseError(open.repeat(deep))).toBeInstanceOf(Error);
  }
});

test.each(hostileValues)("neither formatError nor parseError throws for %s", (_name, make) => {
  for (const x of [make(), [make()], { cause: make() }]) {
    expect(parseError(x)).toBeInstanceOf(Error);
    expect(parseError(formatError(x))).toBeInstanceOf(Error);
  }
});

test("every value becomes a text that a header can contain, and that is read as the same error", () => {
  const chain = fc.letrec((tie) => ({
    error: fc.record(
      {
        name: fc.string({ unit: "binary", maxLength: 400 }),
        message: fc.oneof(fc.string({ unit: "binary" }), fc.string({ size: "large" })),
        code: fc.oneof(fc.constant("ERR_CONTEXT_CANCELED"), fc.string(), fc.integer()),
        cause: fc.oneof({ maxDepth: 10, withCrossShrink: true }, fc.jsonValue(), tie("error")),
      },
      { requiredKeys: [] },
    ),
  })).error;
  let short = 0;
  fc.assert(
    fc.property(fc.oneof(chain, fc.anything({ withBigInt: true })), (x) => {
      const text = formatError(x);
      expect(text).toMatch(/^[ -~]{1,4096}$/);
      const back = parseError(text);
      if (JSON.stringify(toWire(x)).length >= 600) return;
      short++;
      expect(back).toEqual(fromWire(JSON.parse(JSON.stringify(toWire(x)))));
    }),
    { numRuns: 1_000 },
  );
  expect(short).toBeGreaterThan(100);
});

test("parseError returns an Error for every text and every value", () => {
  fc.assert(
    fc.property(fc.oneof(fc.string({ unit: "binary" }), fc.json(), fc.anything()), (x) => {
      expect(parseError(x)).toBeInstanceOf(Error);
    }),
    { numRuns: 2_000 },
  );
});

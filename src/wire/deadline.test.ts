import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { hostileValues } from "../../test/support/hostile-values.ts";
import {
  background,
  isDeadlineExceeded,
  withCancel,
  withDeadline,
  withTimeout,
  type Context,
} from "../index.ts";
import { ManualClock, useClock } from "../testing/index.ts";
import {
  BudgetTooSmallError,
  formatDeadline,
  parseDeadline,
  type DeadlineGrammar,
  type FormatDeadlineOptions,
} from "./index.ts";

const LONGEST = 2 ** 31 - 1;
const grammars: readonly DeadlineGrammar[] = ["milliseconds", "grpc"];

/** Formats the deadline of a context that has `ms` milliseconds left. The clock stands still. */
function format(ms: number, options: FormatDeadlineOptions = {}) {
  using _ = useClock(new ManualClock());
  using ctx = withTimeout(background(), ms);
  return formatDeadline(ctx, options);
}

describe("parseDeadline", () => {
  test.each<[DeadlineGrammar, text: string, ms: number]>([
    ["milliseconds", "250", 250],
    ["milliseconds", "00250", 250],
    ["milliseconds", "0", 0],
    ["milliseconds", "2147483647", LONGEST],
    ["milliseconds", "2147483648", LONGEST],
    ["milliseconds", "9999999999", LONGEST], // setTimeout takes a longer duration for 1 ms
    ["grpc", "1H", 3_600_000],
    ["grpc", "2M", 120_000],
    ["grpc", "3S", 3_000],
    ["grpc", "4m", 4],
    ["grpc", "5u", 0.005],
    ["grpc", "1000000n", 1],
    ["grpc", "0S", 0],
    ["grpc", "99999999H", LONGEST],
  ])("in the grammar %s reads %j as %d ms", (grammar, text, ms) => {
    expect(parseDeadline(text, grammar)).toBe(ms);
  });

  const malformed = ["", " ", "-1", "+1", "1.5", "1e3", "0x10", "Infinity", "NaN", "1_000", "1,1"];
  const unicode = ["١", "１", "𝟏", "²", "1\u200b", "\u{feff}1"];
  const space = [" 1", "1 ", "1\n", "1\r\n", "\t1", "1\0"];
  test.each<[DeadlineGrammar, text: string]>([
    ...[...malformed, ...unicode, ...space].flatMap((text): [DeadlineGrammar, string][] => [
      ["milliseconds", text],
      ["grpc", text],
      ["grpc", `${text}m`],
    ]),
    ["milliseconds", "12345678901"], // eleven digits
    ["milliseconds", "20, 20"], // two headers that were joined
    ["milliseconds", "1m"],
    ...["1", "1s", "1h", "1 S", "S", "123456789m", "1SS", "1S\n", "1ſ", "1S, 1S"].map(
      (text): [DeadlineGrammar, string] => ["grpc", text],
    ),
  ])("in the grammar %s takes %j for malformed", (grammar, text) => {
    expect(parseDeadline(text, grammar)).toBeUndefined();
  });

  test.each(hostileValues)("takes %s for malformed, and does not throw", (_name, make) => {
    for (const grammar of grammars) {
      for (const x of [make(), [make()], ["20"], ["20m"], [], 20, new String("20"), null]) {
        expect(parseDeadline(x, grammar)).toBeUndefined();
      }
    }
  });

  test("reads no text as a time outside of 0 to 2³¹−1, or as more than its digits say", () => {
    const nearly = fc
      .tuple(
        fc.constantFrom("", "", "", "00", "-", "+", "0x", " ", "\n"),
        fc.oneof(fc.bigInt(), fc.nat(99_999_999), fc.nat(999)),
        fc.constantFrom("", "H", "M", "S", "m", "u", "n", "s", "e", ".", " ", "\n"),
      )
      .map(([sign, digits, unit]) => `${sign}${digits}${unit}`);
    const text = fc.oneof(
      { weight: 6, arbitrary: nearly },
      fc.string(),
      fc.string({ unit: "binary" }),
    );
    const nanoseconds: Record<string, bigint> = {
      ...{ H: 3_600_000_000_000n, M: 60_000_000_000n, S: 1_000_000_000n },
      ...{ m: 1_000_000n, u: 1_000n, n: 1n, "": 1_000_000n },
    };
    let read = 0;
    fc.assert(
      fc.property(
        fc.constantFrom(...grammars),
        fc.oneof({ weight: 6, arbitrary: text }, fc.anything()),
        (grammar, x) => {
          const ms = parseDeadline(x, grammar);
          if (ms === undefined) return;
          read++;
          expect(ms >= 0 && ms <= LONGEST).toBe(true);
          const [, digits = "", unit = ""] = /^(\d+)(.?)$/.exec(x as string) ?? [];
          const exact = BigInt(digits) * (nanoseconds[unit] ?? 0n);
          expect(BigInt(Math.round(ms * 1e6)) <= exact).toBe(true);
        },
      ),
      { numRuns: 5_000 },
    );
    expect(read).toBeGreaterThan(100);
  });

  test("throws a TypeError for a grammar that does not exist", () => {
    for (const grammar of ["toString", "ms", undefined as never, null] as never[]) {
      if (grammar === undefined) expect(parseDeadline("1", grammar)).toBe(1);
      else expect(() => parseDeadline("1", grammar)).toThrow(/pass one of milliseconds, grpc/);
    }
  });
});

describe("formatDeadline", () => {
  test.each<[left: number, FormatDeadlineOptions, text: string | undefined]>([
    [1_000, {}, "995"],
    [1_000, { margin: 0 }, "1000"],
    [1_000.9, { margin: 0.2 }, "1000"],
    [6, {}, "1"],
    [1.999, { margin: 0 }, "1"],
    [Infinity, {}, undefined],
    [1e15, {}, "9999999999"],
    [1_000, { grammar: "grpc" }, "995m"],
    [1e8 - 1 + 5, { grammar: "grpc" }, "99999999m"],
    [1e8 + 5, { grammar: "grpc" }, "100000S"],
    [1e8 + 5 + 999, { grammar: "grpc" }, "100000S"],
    [1e12, { grammar: "grpc" }, "16666666M"],
    [1e13, { grammar: "grpc" }, "2777777H"],
    [1e15, { grammar: "grpc" }, "99999999H"],
    [Infinity, { grammar: "grpc" }, undefined],
  ])("with %d ms left and the options %j writes %j", (left, options, text) => {
    expect(format(left, options)?.text).toBe(text);
  });

  test.each<[own: string, options: FormatDeadlineOptions, text: string | undefined]>([
    ["100", {}, "100"],
    ["5000", {}, "995"],
    ["995", {}, "995"],
    ["0000100", {}, "0000100"],
    ["0", {}, "0"],
    ["5s", {}, undefined],
    ["99999999999", {}, undefined], // eleven digits
    ["0xffff", {}, undefined],
    ["", {}, undefined],
    ["1H", { grammar: "grpc" }, "995m"],
    ["994999u", { grammar: "grpc" }, "994999u"],
    ["99999999n", { grammar: "grpc" }, "99999999n"],
    ["996m", { grammar: "grpc" }, "995m"],
    ["1h", { grammar: "grpc" }, undefined],
  ])("turns the caller's own %j, with the options %j, into %j", (own, options, text) => {
    expect(format(1_000, { ...options, own })?.text).toBe(text);
  });

  test("shortens the caller's own deadline also beyond 2³¹−1 ms, and never lengthens it", () => {
    expect(format(3e9, { own: "9999999999" })?.text).toBe("2999999995");
    expect(format(1e15, { own: "3000000000" })?.text).toBe("3000000000");
  });

  test.each<[left: number, FormatDeadlineOptions, needed: number, what: string]>([
    [5.5, {}, 6, "the request"],
    [0.5, { margin: 0 }, 1, "the request"],
    [1.9, { margin: 0.95 }, 1.95, "the request"],
    [40, { minimum: 50, what: "orders.list" }, 50, "orders.list"],
  ])("with %d ms left and the options %j rejects, and says so", (left, options, needed, what) => {
    let error: unknown;
    try {
      format(left, options);
    } catch (thrown) {
      error = thrown;
    }
    expect(error).toBeInstanceOf(BudgetTooSmallError);
    expect(isDeadlineExceeded(error)).toBe(true);
    expect(error).toMatchObject({ left, needed, what });
    expect((error as Error).message).toBe(
      "context deadline exceeded: too little time is left, and the request was not sent",
    );
  });

  test("does not write 0 if the margin leaves a rounding error less than a millisecond", () => {
    expect(1.9 - 0.9).toBeLessThan(1);
    expect(() => format(1.9, { margin: 0.9 })).toThrow(BudgetTooSmallError);
  });

  test("throws the error of a context that is done", () => {
    const canceled = withCancel(background());
    canceled.cancel("gone");
    using late = withTimeout(background(), 0);
    for (const ctx of [canceled, late]) {
      let error: unknown;
      try {
        formatDeadline(ctx);
      } catch (thrown) {
        error = thrown;
      }
      expect(error).toBe(ctx.err());
    }
  });

  test.each<[unknown, string]>([
    [{ margin: -5 }, "formatDeadline got number -5 for the option margin; pass a finite number"],
    [{ margin: NaN }, "formatDeadline got number NaN for the option margin"],
    [{ minimum: "5" }, 'formatDeadline got the string "5" for the option minimum'],
    [{ grammar: "ms" }, 'formatDeadline got the string "ms" for the grammar; pass one of millisec'],
    [{ margins: 5 }, 'formatDeadline got the unknown option "margins"'],
  ])("refuses the options %j", (options, message) => {
    expect(() => formatDeadline(background(), options as never)).toThrow(message);
    expect(() => formatDeadline(background(), options as never)).toThrow(TypeError);
  });

  test("refuses what is no context", () => {
    expect(() => formatDeadline({} as never)).toThrow(/formatDeadline needs a Context/);
  });
});

describe("a deadline that is written and then read", () => {
  const UNIT = { milliseconds: () => 1, grpc: (ms: number) => (ms < 1e8 ? 1 : 3_600_000) };
  const duration = fc.oneof(
    fc.double({ min: 0, max: 20, noNaN: true }),
    fc.double({ min: 0, max: 1e6, noNaN: true }),
    fc.double({ min: 0, max: 1e17, noNaN: true }),
    fc.nat().map((ms) => ms / 7),
    fc.nat(1e5).map((ms) => ms / 7),
  );
  const margins = fc.oneof(
    fc.constant(0),
    fc.constant(5),
    fc.double({ min: 0, max: 10, noNaN: true }),
  );
  const owns = fc.oneof(
    { weight: 3, arbitrary: fc.constant(undefined) },
    fc.nat().map(String),
    fc
      .tuple(fc.nat(99_999_999), fc.constantFrom("H", "M", "S", "m", "u", "n"))
      .map(([n, unit]) => `${n}${unit}`),
    fc.string(),
  );

  test("never states more time than there is, and little less", () => {
    let written = 0;
    fc.assert(
      fc.property(
        fc.constantFrom(...grammars),
        duration,
        margins,
        owns,
        (grammar, ms, margin, own) => {
          using _ = useClock(new ManualClock());
          using ctx = withTimeout(background(), ms);
          let sent;
          try {
            sent = formatDeadline(ctx, { grammar, margin, own });
          } catch (error) {
            const isTooSmall = error instanceof BudgetTooSmallError && ms < margin + 1.000_001;
            expect(isTooSmall || error === ctx.err()).toBe(true);
            return;
          }
          if (own !== undefined && parseDeadline(own, grammar) === undefined) {
            expect(sent).toBeUndefined();
            return;
          }
          written++;
          const read = parseDeadline(sent?.text, grammar)!;
          expect(read).toBe(sent?.ms);
          expect(read).toBeLessThanOrEqual(ms - margin);
          if (own !== undefined) return;
          expect(read).toBeGreaterThanOrEqual(1);
          expect(read).toBeGreaterThan(Math.min(ms - margin, LONGEST) - UNIT[grammar](ms) - 1e-6);
        },
      ),
      { numRuns: 5_000 },
    );
    expect(written).toBeGreaterThan(1_000);
  });

  test("never ends later at the callee, over several hops of one wall clock", () => {
    fc.assert(
      fc.property(fc.nat(1e6), fc.array(fc.nat(50), { maxLength: 5 }), (ms, delays) => {
        const clock = new ManualClock();
        using _ = useClock(clock);
        let ctx: Context = withDeadline(background(), clock.wall() + ms);
        for (const delay of delays) {
          let text: string | undefined;
          try {
            text = formatDeadline(ctx, { margin: 0 })?.text;
          } catch {
            return;
          }
          clock.advance(delay);
          const next = withTimeout(background(), parseDeadline(text)!);
          // The way of the message is unknown to the callee, and is the only time that may be added.
          expect(+next.deadline()!).toBeLessThanOrEqual(+ctx.deadline()! + delay);
          ctx = next;
        }
      }),
    );
  });
});

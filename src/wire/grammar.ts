/**
 * How a text states a deadline. It states a duration and not a point in time, because the clocks of
 * two machines differ. Every rounding is down, so that no callee believes in more time than there
 * is.
 */
import { show } from "../internal.ts";

/**
 * How a text states a duration:
 *
 * - `"milliseconds"`: 1 to 10 digits, as in Connect's `connect-timeout-ms`;
 * - `"grpc"`: 1 to 8 digits and a unit (`H`, `M`, `S`, `m`, `u`, `n`), as in gRPC's `grpc-timeout`.
 */
export type DeadlineGrammar = "milliseconds" | "grpc";

interface Grammar {
  /** Formats a duration from 0 ms on. A duration that is too long becomes the longest possible one. */
  readonly format: (ms: number) => string;
  /** Returns milliseconds, or `undefined` if the text is malformed. */
  readonly parse: (text: string) => number | undefined;
}

/** The digits that one millisecond has in a unit below it, or the milliseconds of a unit above it. */
const PER_MILLISECOND: Readonly<Record<string, number>> = { u: 1e3, n: 1e6 };
const MILLISECONDS: Readonly<Record<string, number>> = { m: 1, S: 1e3, M: 60e3, H: 3600e3 };

const GRAMMARS: Readonly<Record<DeadlineGrammar, Grammar>> = {
  milliseconds: {
    format: (ms) => String(Math.min(Math.floor(ms), 9_999_999_999)),
    // Not `Number(text)` alone, which accepts "", "1e3", "0x10" and " 7 ".
    parse: (text) => (/^\d{1,10}$/.test(text) ? Number(text) : undefined),
  },
  grpc: {
    format(ms) {
      for (const unit of ["m", "S", "M"]) {
        const count = Math.floor(ms / (MILLISECONDS[unit] ?? NaN));
        if (count <= 99_999_999) return `${count}${unit}`;
      }
      return `${Math.min(Math.floor(ms / 3600e3), 99_999_999)}H`;
    },
    parse(text) {
      const [, digits, unit = ""] = /^(\d{1,8})([HMSmun])$/.exec(text) ?? [];
      if (digits === undefined) return undefined;
      // A division is exact to the last bit. A product with 1e-6 is not.
      return (Number(digits) * (MILLISECONDS[unit] ?? 1)) / (PER_MILLISECOND[unit] ?? 1);
    },
  },
};

/** The longest deadline that is read, in milliseconds: `setTimeout` and PostgreSQL accept no longer one. */
const LONGEST_DEADLINE = 2 ** 31 - 1;

/** Returns the nearest duration from 0 to 2³¹−1 milliseconds. */
export function clampDeadline(ms: number): number {
  return Math.min(Math.max(ms, 0), LONGEST_DEADLINE);
}

/** Throws a TypeError for a grammar that does not exist. */
export function grammarOf(grammar: DeadlineGrammar, caller: string): Grammar {
  if (Object.hasOwn(GRAMMARS, grammar)) return GRAMMARS[grammar];
  throw new TypeError(
    `${caller} got ${show(grammar)} for the grammar; pass one of ${Object.keys(GRAMMARS).join(", ")}`,
  );
}

/**
 * Returns the duration that a text states, in milliseconds from 0 to 2³¹−1, or `undefined` if the
 * text is malformed. A longer duration becomes 2³¹−1, because `setTimeout` would fire at once. The
 * result has a fraction only if the text has gRPC's unit `u` or `n`.
 *
 * The text may come from anywhere: for any value this function returns, and never throws. A list, such
 * as that of a header that occurs twice, is malformed. Throws a TypeError only for an unknown grammar.
 *
 * @example
 * const ms = parseDeadline(message.headers.get(DEADLINE_HEADER));
 * using ctx = ms === undefined ? withCancel(parent) : withTimeout(parent, ms);
 */
export function parseDeadline(
  text: unknown,
  grammar: DeadlineGrammar = "milliseconds",
): number | undefined {
  const { parse } = grammarOf(grammar, "parseDeadline");
  const ms = typeof text === "string" ? parse(text) : undefined;
  return ms === undefined ? undefined : clampDeadline(ms);
}

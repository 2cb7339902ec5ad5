/** The deadline that a caller sends to a callee. */
import { remaining, type Context } from "../index.ts";
import { checkContext, checkOptions, now, show } from "../internal.ts";
import { BudgetTooSmallError } from "./budget-too-small-error.ts";
import { clampDeadline, grammarOf, type DeadlineGrammar } from "./grammar.ts";

/** Options of `formatDeadline`. */
export interface FormatDeadlineOptions {
  /** The grammar of the text. Default: `"milliseconds"`. */
  grammar?: DeadlineGrammar;
  /**
   * Milliseconds that are subtracted from the remaining time, because the reply needs time to arrive.
   * Default: 5.
   */
  margin?: number;
  /**
   * The time that the request needs, in milliseconds. Default: 0. Whatever it is, `margin` + 1 is
   * needed.
   */
  minimum?: number;
  /**
   * The text that the caller has set itself. It is sent as it is if it states less time, or if it is
   * malformed.
   */
  own?: string | undefined;
  /** The request, for the property `what` of `BudgetTooSmallError`. Default: `"the request"`. */
  what?: string;
}

/** A deadline as it is sent to a callee. */
export interface SentDeadline {
  /** The text for a header such as `DEADLINE_HEADER`. */
  readonly text: string;
  /** The milliseconds that `parseDeadline` reads from the text. */
  readonly ms: number;
  /** The monotonic time from which `ms` counts, in milliseconds. */
  readonly from: number;
}

export const DEFAULT_MARGIN = 5;

/**
 * Returns the time that is left of `ctx` for a callee, less the margin, or `undefined` if there is no
 * deadline to send: `ctx` has none, or `own` is malformed.
 *
 * The time is rounded down to a unit of the grammar, so the callee's deadline is never later than that
 * of `ctx`. It is often some milliseconds earlier: `calleeError` explains the callee's answer then.
 *
 * No text says "0", because a callee would answer at once that its time is up. Throws
 * `BudgetTooSmallError` if less than `margin` + 1 ms or less than `minimum` is left. Throws
 * `ctx.err()` if `ctx` is done, and a TypeError for a wrong option.
 *
 * @example
 * const sent = formatDeadline(ctx, { margin: 5 });
 * if (sent !== undefined) headers.set(DEADLINE_HEADER, sent.text);
 */
export function formatDeadline(
  ctx: Context,
  options: FormatDeadlineOptions = {},
): SentDeadline | undefined {
  checkContext(ctx, "formatDeadline");
  checkOptions(options, "formatDeadline", ["grammar", "margin", "minimum", "own", "what"]);
  const { grammar = "milliseconds", margin = DEFAULT_MARGIN, minimum = 0, own } = options;
  const { format, parse } = grammarOf(grammar, "formatDeadline");
  checkMilliseconds(margin, "formatDeadline", "margin");
  checkMilliseconds(minimum, "formatDeadline", "minimum");

  const from = now();
  const left = remaining(ctx);
  const err = ctx.err();
  if (err !== undefined) throw err;
  if (left === Infinity) return undefined;
  const ms = left - margin;
  if (ms < 1 || left < minimum) {
    const { what = "the request" } = options;
    throw new BudgetTooSmallError(left, Math.max(minimum, margin + 1), what);
  }
  const ownMs = own === undefined ? Infinity : parse(own);
  if (ownMs === undefined) return undefined;
  const text = own === undefined || ownMs > ms ? format(ms) : own;
  return { text, ms: clampDeadline(parse(text) ?? 0), from };
}

/** Returns `ms` if it is a finite number from 0, and throws a TypeError otherwise. */
export function checkMilliseconds(ms: unknown, caller: string, option: string): number {
  if (typeof ms === "number" && ms >= 0 && ms < Infinity) return ms;
  throw new TypeError(
    `${caller} got ${show(ms)} for the option ${option}; pass a finite number of milliseconds, from 0`,
  );
}

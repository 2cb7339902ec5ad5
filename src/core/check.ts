/** Misuse explains itself: every refusal says what was passed and what to do. */
import type { Context } from "./context.ts";
import { Handle } from "./handle.ts";
import { show } from "./show.ts";

/** Throws a TypeError unless `ctx` has the four members of a context. Reads no signal. */
export function checkContext(ctx: unknown, caller: string): asserts ctx is Context {
  if (ctx instanceof Handle || isContext(ctx)) return;
  if (ctx === undefined || ctx === null) {
    throw new TypeError(
      `cannot create context from nil parent: ${caller} got ${String(ctx)} where a Context is needed; pass the caller's ctx, or background() at the top of a program`,
    );
  }
  const hint =
    typeof ctx === "object" && "aborted" in ctx
      ? "for a signal, use withSignal(background(), signal)"
      : "pass the caller's ctx, or background() at the top of a program";
  throw new TypeError(`${caller} needs a Context as its first argument, got ${show(ctx)}; ${hint}`);
}

function isContext(x: unknown): x is Context {
  if (typeof x !== "object" || x === null || !("signal" in x)) return false;
  const { err, deadline, value } = x as Partial<Context>;
  return typeof err === "function" && typeof deadline === "function" && typeof value === "function";
}

/** Throws unless `ms` is a number of milliseconds; Infinity means none, a negative means now. */
export function checkDuration(ms: unknown, caller: string): asserts ms is number {
  if (typeof ms !== "number") {
    throw new TypeError(
      `${caller} takes a duration in milliseconds, got ${show(ms)}; pass a number`,
    );
  }
  if (Number.isNaN(ms)) {
    throw new RangeError(
      `${caller} got NaN for a duration in milliseconds; pass a number, or Infinity for none`,
    );
  }
}

/** Epoch milliseconds of a Date or number. Throws on anything else and on an invalid date. */
export function checkInstant(at: unknown, caller: string): number {
  const isDate = Object.prototype.toString.call(at) === "[object Date]";
  if (!isDate && typeof at !== "number") {
    throw new TypeError(
      `${caller} takes a Date or epoch milliseconds, got ${show(at)}; pass new Date(…), Date.now() + ms, or Infinity for none`,
    );
  }
  const wall = Number(at);
  if (Number.isNaN(wall)) {
    throw new RangeError(
      `${caller} got ${isDate ? "an invalid Date" : "NaN"}; pass a Date or epoch milliseconds, or Infinity for none`,
    );
  }
  return wall;
}

/** `instead` says what to pass. */
export function checkFunction(fn: unknown, caller: string, instead: string): void {
  if (typeof fn !== "function") {
    throw new TypeError(`${caller} takes a function, got ${show(fn)}; pass ${instead}`);
  }
}

/**
 * Throws a TypeError unless `options` is `undefined` or an object whose options are all `known`.
 * JavaScript would otherwise ignore a misspelled option.
 */
export function checkOptions(options: unknown, caller: string, known: readonly string[]): void {
  if (options === undefined) return;
  if (typeof options !== "object" || options === null || Array.isArray(options)) {
    throw new TypeError(
      `${caller} takes its options in an object, got ${show(options)}; pass { ${known.join(", ")} } with the options you need, or nothing`,
    );
  }
  const unknown = Object.keys(options).find((name) => !known.includes(name));
  if (unknown !== undefined) {
    throw new TypeError(
      `${caller} got the unknown option "${unknown}"; its options are: ${known.join(", ")}`,
    );
  }
}

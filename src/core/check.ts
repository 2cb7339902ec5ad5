/** Checks of arguments. Each message says what was passed and what to pass instead. */
import { show } from "./show.ts";

/**
 * Throws unless `ms` is a number of milliseconds. Infinity means no limit. A negative number means
 * now.
 */
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

/**
 * Returns a Date or a number as milliseconds since the Unix epoch. Throws if `at` is neither, or is
 * an invalid Date.
 */
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

/**
 * Throws unless `count` is a whole number of at least `least`. `what` names the argument, and `instead`
 * says what to do: "pass 2 for one extra attempt".
 */
export function checkCount(
  count: unknown,
  caller: string,
  what: string,
  instead: string,
  least = 1,
): asserts count is number {
  if (typeof count !== "number") {
    throw new TypeError(`${caller} takes a number as ${what}, got ${show(count)}; pass a number`);
  }
  if (Number.isSafeInteger(count) && count >= least) return;
  throw new RangeError(
    `${caller} takes as ${what} a whole number of at least ${least}, got ${show(count)}; ${instead}`,
  );
}

/** Works like `checkCount`, and also takes Infinity, for no limit. */
export function checkLimit(
  limit: unknown,
  caller: string,
  what = "its limit",
  least = 1,
): asserts limit is number {
  if (limit !== Infinity) checkCount(limit, caller, what, "pass Infinity for no limit", least);
}

/** Throws a TypeError unless `fn` is a function. `instead` says what to pass. */
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
  // Not an array, and not an Error that was meant as `{ cause }`.
  if (Object.prototype.toString.call(options) !== "[object Object]") {
    throw new TypeError(
      `${caller} takes its options in an object, got ${show(options)}; pass { ${known.join(", ")} }`,
    );
  }
  for (const name of Object.keys(options as object)) {
    if (known.includes(name)) continue;
    throw new TypeError(
      `${caller} got the unknown option "${name}"; its options are: ${known.join(", ")}`,
    );
  }
}

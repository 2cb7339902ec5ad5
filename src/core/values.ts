/** Request-scoped values: typed keys, and the chain that is searched for them. */

import { checkOptions } from "./check.ts";
import { show } from "./show.ts";

const KEY: unique symbol = Symbol.for("eightysix.key") as never;

/**
 * Names a value of type `T`. Made by `key()`, compared by identity; `Default` is what a look-up
 * returns where nothing was set.
 */
export interface Key<T, Default = undefined> {
  readonly name: string;
  readonly default: Default;
  /** A secret's value is never shown by `String(ctx)` or inspection. */
  readonly secret: boolean;
  /** Only for inference. */
  readonly [KEY]: T;
}

const KEY_OPTIONS = ["default", "secret"];

/**
 * Makes a key. Keep it in a module-level constant: two keys of the same name are different keys.
 *
 *     const RequestId = key<string>("requestId");
 *     const Locale = key<string>("locale", { default: "en" });
 */
export function key<T>(name: string, options?: { secret?: boolean }): Key<T>;
export function key<T>(name: string, options: { default: T; secret?: boolean }): Key<T, T>;
export function key(
  name: string,
  options?: { default?: unknown; secret?: boolean },
): Key<unknown, unknown> {
  if (typeof name !== "string") {
    throw new TypeError(`key() takes a name for messages, got ${show(name)}; pass a string`);
  }
  checkOptions(options, "key", KEY_OPTIONS);
  return Object.freeze({
    name,
    default: options?.default,
    secret: options?.secret === true,
    [KEY]: undefined,
  });
}

function isKey(x: unknown): x is Key<unknown, unknown> {
  return typeof x === "object" && x !== null && KEY in x;
}

/** A place in the chain of values. The one whose key is `FOREIGN` holds a foreign context. */
export interface Values {
  readonly outer: Values | undefined;
  readonly key: unknown;
  readonly held: unknown;
}

export const FOREIGN = Symbol("foreign");

/** The nearest value walking outward; one that was set to `undefined` shadows the outer ones. */
export function lookUp(values: Values | undefined, key: Key<unknown, unknown>): unknown {
  let at = values;
  while (at !== undefined) {
    if (at.key === key) return at.held;
    if (at.key === FOREIGN) return (at.held as { value(key: unknown): unknown }).value(key);
    at = at.outer;
  }
  // Asked only here, where there is time: most look-ups find something.
  checkKey(key, "value");
  return key.default;
}

export function checkKey(key: unknown, caller: string): asserts key is Key<unknown, unknown> {
  if (isKey(key)) return;
  const nil = key === undefined || key === null ? "nil key: " : "";
  throw new TypeError(
    `${nil}${caller} needs a key made by key(), got ${show(key)}; write const K = key<T>("name") once, in a module`,
  );
}

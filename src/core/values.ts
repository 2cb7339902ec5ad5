/** The values of a request: typed keys, and the chain in which they are looked up. */
import { checkOptions } from "./check.ts";
import { show } from "./show.ts";

const KEY: unique symbol = Symbol.for("eightysix.key") as never;

/**
 * The name of a value of type `T`. `key()` creates it. Keys are compared by identity. `Default` is
 * the type that a look-up returns if no context sets a value.
 */
export interface Key<T, Default = undefined> {
  readonly name: string;
  readonly default: Default;
  /** Whether `String(ctx)` and inspection hide the value. */
  readonly secret: boolean;
  /** Exists for type inference only. */
  readonly [KEY]: T;
}

const KEY_OPTIONS = ["default", "secret"];

/**
 * Creates a key. Keep it in a constant of a module, because two keys of the same name are different
 * keys.
 *
 * `name` appears in messages and logs. `default` is returned if no context sets a value. `secret`
 * hides the value in logs.
 *
 * @example
 * const RequestId = key<string>("requestId");
 * const Locale = key<string>("locale", { default: "en" });
 * const Token = key<string>("token", { secret: true });
 */
export function key<T>(name: string, options?: { secret?: boolean }): Key<T>;
export function key<T>(name: string, options: { default: T; secret?: boolean }): Key<T, T>;
export function key(
  name: string,
  options?: { default?: unknown; secret?: boolean },
): Key<unknown, unknown> {
  if (typeof name !== "string") {
    throw new TypeError(
      `key takes a name, got ${show(name)}; pass a string, which appears in messages and logs`,
    );
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

/** An entry in the chain of values. If its key is `FOREIGN`, it holds a foreign context. */
export interface Values {
  readonly outer: Values | undefined;
  readonly key: unknown;
  readonly held: unknown;
}

export const FOREIGN = Symbol("foreign");

/**
 * Returns the innermost value of `key`. A value that was set to `undefined` hides the outer ones.
 */
export function lookUp(values: Values | undefined, key: Key<unknown, unknown>): unknown {
  let at = values;
  while (at !== undefined) {
    if (at.key === key) return at.held;
    if (at.key === FOREIGN) return (at.held as { value(key: unknown): unknown }).value(key);
    at = at.outer;
  }
  // The key is checked last, because most look-ups have returned by now.
  checkKey(key, "value");
  return key.default;
}

/** Throws a TypeError unless `key` was created by `key()`. */
export function checkKey(key: unknown, caller: string): asserts key is Key<unknown, unknown> {
  if (isKey(key)) return;
  const nil = key === undefined || key === null ? "nil key: " : "";
  throw new TypeError(
    `${nil}${caller} needs a key made by key(), got ${show(key)}; write const K = key<T>("name") once, in a module, and pass K`,
  );
}

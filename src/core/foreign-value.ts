/**
 * Reads of values that are not trusted: what a program throws or cancels with, and data from outside.
 * A getter or a proxy of such a value may throw, also for `instanceof` and `String`.
 */
import { show } from "./show.ts";

/** Returns a property of `x`, or `undefined` if `x` has none or the read throws. */
export function readProperty(x: unknown, name: PropertyKey): unknown {
  try {
    return (x as Record<PropertyKey, unknown> | null | undefined)?.[name];
  } catch {
    return undefined;
  }
}

/** Returns `x instanceof Class`, or `false` if that throws. */
export function isInstance<T>(x: unknown, Class: abstract new (...args: never[]) => T): x is T {
  try {
    return x instanceof Class;
  } catch {
    return false;
  }
}

/** Returns the stack of an error or, without one, what `String` returns, for a log. Never throws. */
export function describe(error: unknown): string {
  const stack = isInstance(error, Error) ? readProperty(error, "stack") : undefined;
  if (typeof stack === "string" && stack !== "") return stack;
  try {
    return String(error);
  } catch {
    return show(error);
  }
}

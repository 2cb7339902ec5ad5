/** The forms in which pg takes a query: text or an object, values, and a callback after either. */
import type { QueryArguments } from "../types.ts";

export type AnyCallback = (error: unknown, result?: unknown) => void;

export function readArguments([query, values, last]: readonly unknown[]): {
  args: QueryArguments;
  callback: AnyCallback | undefined;
} {
  const callback = typeof values === "function" ? values : last;
  if (callback !== undefined && callback !== null && typeof callback !== "function") {
    throw new TypeError("callback is not a function");
  }
  return {
    args: (typeof values === "function" || values === undefined || values === null
      ? [query]
      : [query, values]) as unknown as QueryArguments,
    callback: (callback ?? undefined) as AnyCallback | undefined,
  };
}

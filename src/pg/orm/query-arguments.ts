/** The forms in which pg takes a query: SQL or a config object, values, and a callback after either. */
import type { Result } from "../driver.ts";
import type { QueryArguments } from "../types.ts";
import type { Submittable } from "./submittable.ts";

export type AnyCallback = (error: unknown, result?: unknown) => void;

/** Returns whether a query is SQL or a config object, and neither a submittable nor a mistake. */
export function isSqlOrConfig([query]: readonly unknown[]): boolean {
  if (typeof query === "string") return true;
  return (
    typeof query === "object" &&
    query !== null &&
    typeof (query as Partial<Submittable>).submit !== "function"
  );
}

/** Splits the arguments of `query`. Throws pg's own TypeError for a callback that is not one. */
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

/** Returns `result`, or passes it to `callback` if there is one, as pg does. */
export function deliver(
  result: Promise<Result>,
  callback: AnyCallback | undefined,
): Promise<Result> | undefined {
  if (callback === undefined) return result;
  result.then((value) => callback(null, value), callback);
  return undefined;
}

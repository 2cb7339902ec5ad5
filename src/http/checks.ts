/** Checks of options that several functions share. Runs on every platform. */
import type { Context } from "../index.ts";
import { show } from "../internal.ts";

export function isContext(x: unknown): x is Context {
  return typeof (x as Partial<Context> | null | undefined)?.err === "function";
}

/** Throws a TypeError unless the option `name` is a context or missing. */
export function checkContextOption(value: unknown, name: string): void {
  if (value === undefined || isContext(value)) return;
  throw new TypeError(
    `${name} is a Context, got ${show(value)}; for an AbortSignal, pass withSignal(background(), signal)`,
  );
}

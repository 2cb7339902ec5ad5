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

/**
 * Throws a TypeError unless `options` is an object, and not the request or the error that a framework
 * passes to middleware. `call` is how to write the call, such as "contexts(options)".
 */
export function checkIsOptions(options: unknown, call: string): void {
  const isObject = typeof options === "object" && options !== null;
  if (isObject && !("headers" in options) && !(options instanceof Error)) return;
  const got = isObject ? "a request: call it when you register the middleware" : show(options);
  throw new TypeError(`${call} takes options in an object, got ${got}`);
}

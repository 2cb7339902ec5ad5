import { checkFunction, checkLimit, checkOptions } from "../core/check.ts";
import type { Context } from "../core/context.ts";
import { show } from "../core/show.ts";
import { Mapping } from "./mapping.ts";
import { isIterable, Source } from "./source.ts";
import { checkCall } from "../work/wrong-context.ts";

/** The options of `map`. */
export interface MapOptions {
  /**
   * The most items between the source and the loop: those that are being read or run, and those whose
   * results the loop has not taken yet. With `Infinity`, the source is read as fast as it answers.
   */
  limit: number;
  /**
   * Whether the results come in the order of their items, as those of `Array.map` do. The default is
   * true. A slow item then holds back the results behind it, which count towards the limit. With
   * false, results come as they arrive.
   */
  ordered?: boolean;
}

/**
 * Calls `fn` for each item of an iterable, for several at the same time, and iterates over the
 * results. It reads ahead of the loop, and never by more than `limit` items. Nothing begins before
 * the loop asks for its first result. The result can be iterated once.
 *
 * `source` may be an async iterable, or an iterable whose items may be promises. Its items are read
 * one after the other. `fn` runs under a child of `ctx`.
 *
 * If the loop is left, if `fn` or the source fails, or if `ctx` ends, `map` reads no more, cancels
 * the context of the calls that are running, waits until they have ended, and calls the source's
 * `return()` and waits for it. Results that the loop has not taken by then are dropped. Then the loop
 * is left, or throws the first failure or `ctx.err()`. Later failures are in the error's
 * `suppressed`, as in `group`.
 *
 * The wait for the source has one exception. If its `next()` is pending, as that of a silent queue
 * is, the source is waited for only until `ctx` is done. It then stays in the ledger as work of the
 * kind "map" until it answers. So a source that can be silent should end with a context itself.
 *
 * Throws a TypeError if `source` cannot be iterated or `fn` is not a function, and a RangeError if
 * `limit` is not a whole number of at least 1.
 *
 * @example
 * for await (const page of map(ctx, urls, (ctx, url) => download(ctx, url), { limit: 8 })) {
 *   await save(ctx, page);
 * }
 */
export function map<T, R>(
  ctx: Context,
  source: Iterable<T | PromiseLike<T>> | AsyncIterable<T>,
  fn: (ctx: Context, item: T) => R | PromiseLike<R>,
  options: MapOptions,
): AsyncIterableIterator<R> {
  checkCall(ctx, "map", map);
  if (!isIterable(source)) {
    throw new TypeError(
      `map takes an iterable or an async iterable, got ${show(source)}; pass an array, a generator or a stream`,
    );
  }
  checkFunction(fn, "map", "a function to call for each item: (ctx, item) => …");
  checkOptions(options, "map", ["limit", "ordered"]);
  const { limit, ordered = true } = (options as Partial<MapOptions> | undefined) ?? {};
  checkLimit(limit, "map");
  if (typeof ordered !== "boolean") {
    throw new TypeError(
      `map takes a boolean for the option ordered, got ${show(ordered)}; pass true or false`,
    );
  }
  return new Mapping(ctx, new Source(source, "map"), fn, limit, ordered).run();
}

import { throwIfDone } from "../core/context-state.ts";
import { checkContext } from "../core/check-context.ts";
import type { Context } from "../core/context.ts";
import { show } from "../core/show.ts";
import { checkStep } from "./source.ts";
import { waitFor } from "./wait-for.ts";

/** The kind of work in the ledger. */
const KIND = "orDone";

/**
 * Waits for a promise, or iterates an async iterable, until `ctx` is done. Then the returned
 * promise rejects, or the loop throws, with `ctx.err()`. If the promise has settled by then, its
 * result counts.
 *
 * `orDone` stops the waiting and not the work behind it. The work continues, and stays in the
 * ledger as work of the kind "orDone" until it settles. The `return()` of an iterator is called but
 * not awaited.
 *
 * Throws a TypeError if `source` is neither a promise nor an async iterable.
 *
 * @example
 * const answer = await orDone(ctx, libraryWithoutContexts.ask(question));
 * for await (const message of orDone(ctx, messages)) show(message);
 */
export function orDone<T>(ctx: Context, promise: PromiseLike<T>): Promise<T>;
export function orDone<T>(ctx: Context, iterable: AsyncIterable<T>): AsyncIterableIterator<T>;
export function orDone<T>(
  ctx: Context,
  source: PromiseLike<T> | AsyncIterable<T>,
): Promise<T> | AsyncIterableIterator<T> {
  checkContext(ctx, "orDone");
  const { then } = Object(source) as Partial<PromiseLike<T>>;
  if (typeof then === "function") return waitFor(ctx, source as PromiseLike<T>, KIND);
  if (
    typeof (source as Partial<AsyncIterable<T>> | undefined)?.[Symbol.asyncIterator] === "function"
  ) {
    return iterate(ctx, source as AsyncIterable<T>);
  }
  throw new TypeError(
    `orDone takes a promise or an async iterable, got ${show(source)}; call the function and pass what it returns`,
  );
}

async function* iterate<T>(ctx: Context, iterable: AsyncIterable<T>): AsyncGenerator<T> {
  const iterator = iterable[Symbol.asyncIterator]();
  /**
   * As in a for-await loop, an iterator that has finished or failed by itself needs no return().
   */
  let isFinished = false;
  const next = async (): Promise<IteratorResult<T, unknown>> => {
    try {
      const step = await iterator.next();
      checkStep(step, "orDone");
      isFinished = step.done === true;
      return step;
    } catch (error) {
      isFinished = true;
      throw error;
    }
  };
  const callReturn = async (): Promise<unknown> => await iterator.return?.();
  try {
    for (;;) {
      throwIfDone(ctx);
      const step = await waitFor(ctx, next(), KIND);
      if (step.done === true) return;
      yield step.value;
    }
  } finally {
    if (!isFinished) {
      const returned = callReturn();
      if (ctx.err() === undefined) await waitFor(ctx, returned, KIND);
      else returned.catch(() => undefined);
    }
  }
}

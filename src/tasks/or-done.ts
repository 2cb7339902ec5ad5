import { afterFunc } from "../core/after-func.ts";
import { throwIfDone } from "../core/ask.ts";
import { checkContext } from "../core/check-context.ts";
import type { Context } from "../core/context.ts";
import { show } from "../core/show.ts";
import { startWork } from "../work/ledger.ts";

/**
 * Stops *waiting* when `ctx` is done: the promise rejects, or the iteration throws, with
 * `ctx.err()`. What is left behind goes on: it stays in the ledger as `orDone` until it settles.
 * An iterable's `return()` is called, and not waited for. A promise that has settled by then wins.
 */
export function orDone<T>(ctx: Context, promise: PromiseLike<T>): Promise<T>;
export function orDone<T>(ctx: Context, iterable: AsyncIterable<T>): AsyncIterableIterator<T>;
export function orDone<T>(
  ctx: Context,
  source: PromiseLike<T> | AsyncIterable<T>,
): Promise<T> | AsyncIterableIterator<T> {
  checkContext(ctx, "orDone");
  const { then } = Object(source) as Partial<PromiseLike<T>>;
  if (typeof then === "function") return waitFor(ctx, source as PromiseLike<T>);
  if (
    typeof (source as Partial<AsyncIterable<T>> | undefined)?.[Symbol.asyncIterator] === "function"
  ) {
    return iterate(ctx, source as AsyncIterable<T>);
  }
  throw new TypeError(
    `orDone takes a promise or an async iterable, got ${show(source)}; call the function first`,
  );
}

function waitFor<T>(ctx: Context, promise: PromiseLike<T>): Promise<T> {
  const work = startWork(ctx, "orDone");
  return new Promise((resolve, reject) => {
    // A `then` that is not a promise's can throw, or call back at once; a promise's cannot.
    const settling = Promise.resolve(promise);
    const over = (): void => {
      stop();
      work.end();
      resolve(settling);
    };
    // Before `afterFunc`: where both are ready, the result is not thrown away.
    settling.then(over, over);
    const stop = afterFunc(ctx, reject);
  });
}

async function* iterate<T>(ctx: Context, iterable: AsyncIterable<T>): AsyncGenerator<T> {
  const iterator = iterable[Symbol.asyncIterator]();
  /** As in a for-await loop: an iterator that has finished or failed by itself needs no return(). */
  let over = false;
  const next = async (): Promise<IteratorResult<T, unknown>> => {
    try {
      const step = await iterator.next();
      over = step.done === true;
      return step;
    } catch (error) {
      over = true;
      throw error;
    }
  };
  const leave = async (): Promise<unknown> => await iterator.return?.();
  try {
    for (;;) {
      throwIfDone(ctx);
      const step = await waitFor(ctx, next());
      if (step.done === true) return;
      yield step.value;
    }
  } finally {
    if (!over) {
      const left = leave();
      if (ctx.err() === undefined) await waitFor(ctx, left);
      else left.catch(() => undefined);
    }
  }
}

import { afterFunc } from "../core/after-func.ts";
import { checkContext, show } from "../core/check.ts";
import type { Context } from "../core/context.ts";
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
  throw new TypeError(`orDone takes a promise or an async iterable, got ${show(source)}`);
}

function waitFor<T>(ctx: Context, promise: PromiseLike<T>): Promise<T> {
  const work = startWork(ctx, "orDone");
  return new Promise((resolve, reject) => {
    const stop = afterFunc(ctx, reject);
    promise.then(
      (value) => {
        stop();
        work.end();
        resolve(value);
      },
      (error: unknown) => {
        stop();
        work.end();
        reject(error);
      },
    );
  });
}

async function* iterate<T>(ctx: Context, iterable: AsyncIterable<T>): AsyncGenerator<T> {
  const iterator = iterable[Symbol.asyncIterator]();
  let over = false;
  try {
    for (;;) {
      const step = await waitFor(ctx, iterator.next());
      if (step.done === true) {
        over = true;
        return;
      }
      yield step.value;
    }
  } finally {
    if (!over) {
      const left = iterator.return?.();
      if (ctx.err() === undefined) await left;
      else left?.then(undefined, () => undefined);
    }
  }
}

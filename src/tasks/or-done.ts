import { throwIfDone } from "../core/context-state.ts";
import type { Context } from "../core/context.ts";
import { show } from "../core/show.ts";
import { isThenable, Source } from "./source.ts";
import { waitFor } from "./wait-for.ts";
import { checkCall } from "../work/wrong-context.ts";

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
  checkCall(ctx, "orDone", orDone);
  if (isThenable<T>(source)) return waitFor(ctx, source, KIND);
  if (
    typeof (source as Partial<AsyncIterable<T>> | undefined)?.[Symbol.asyncIterator] === "function"
  ) {
    return iterate(ctx, source);
  }
  throw new TypeError(
    `orDone takes a promise or an async iterable, got ${show(source)}; call the function and pass what it returns`,
  );
}

async function* iterate<T>(ctx: Context, iterable: AsyncIterable<T>): AsyncGenerator<T> {
  const source = new Source(iterable, KIND);
  source.open(); // so that it is closed even if `ctx` is done already, as a stream needs
  try {
    for (;;) {
      throwIfDone(ctx);
      const step = await waitFor(ctx, Promise.resolve(source.next()), KIND);
      if (step.done === true) return;
      yield step.value;
    }
  } finally {
    if (!source.isFinished) {
      const returned = source.return();
      if (ctx.err() === undefined) await waitFor(ctx, returned, KIND);
      else returned.catch(() => undefined);
    }
  }
}

import type { Context } from "../core/context.ts";
import { show } from "../core/show.ts";
import { waitFor } from "./wait-for.ts";

/** What `map` reads: a sync iterable, whose items may be promises, or an async iterable. */
export type Items<T> = Iterable<T | PromiseLike<T>> | AsyncIterable<T>;

/** Returns whether `x` can be iterated. */
export function isIterable(x: unknown): x is Items<unknown> {
  const { [Symbol.iterator]: sync, [Symbol.asyncIterator]: async } = Object(x) as Partial<
    Iterable<unknown> & AsyncIterable<unknown>
  >;
  return typeof sync === "function" || typeof async === "function";
}

/**
 * Throws a TypeError unless `step` is an object, as a for-await loop does. Any other value has no
 * `done`, so the loop would never end.
 */
export function checkStep(step: unknown, caller: string): void {
  if (Object(step) === step) return;
  throw new TypeError(
    `${caller} got ${show(step)} from the next() of its iterator; return an object { done, value }`,
  );
}

/** An iterator that is read ahead of its consumer. It is opened by the first read. */
export class Source<T> {
  readonly #items: Items<T>;
  #iterator: AsyncIterator<T> | undefined;
  #isPending = false;
  #isFinished = false;

  constructor(items: Items<T>) {
    this.#items = items;
  }

  /** Whether the iterator has finished or failed by itself. It then needs no `return()`. */
  get isFinished(): boolean {
    return this.#isFinished;
  }

  async next(): Promise<IteratorResult<T, unknown>> {
    this.#isPending = true;
    try {
      this.#iterator ??= open(this.#items);
      const step = await this.#iterator.next();
      checkStep(step, "map");
      this.#isFinished = step.done === true;
      return step;
    } catch (error) {
      this.#isFinished = true;
      throw error;
    } finally {
      this.#isPending = false;
    }
  }

  /**
   * Calls the iterator's `return()` and waits for it. Many iterators, such as generators, answer it
   * only after their `next()`. So if a `next()` is pending, the wait ends at the latest with `ctx`.
   */
  async close(ctx: Context): Promise<void> {
    if (this.#isFinished || this.#iterator === undefined) return;
    const isPending = this.#isPending;
    const returned = (async () => await this.#iterator?.return?.())();
    try {
      await (isPending ? waitFor(ctx, returned, "map") : returned);
    } catch (error) {
      if (!isPending || error !== ctx.err()) throw error;
    }
  }
}

function open<T>(items: Items<T>): AsyncIterator<T> {
  const { [Symbol.asyncIterator]: iterate } = items as Partial<AsyncIterable<T>>;
  return typeof iterate === "function" ? iterate.call(items) : awaitEach(items as Iterable<T>);
}

/**
 * Awaits each item, as a for-await loop does. (An async generator awaits what it yields.) If an item
 * rejects, closes the iterable.
 */
async function* awaitEach<T>(items: Iterable<T | PromiseLike<T>>): AsyncGenerator<T> {
  for (const item of items) yield item;
}

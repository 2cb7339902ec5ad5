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
  #iterator: Iterator<T | PromiseLike<T>> | AsyncIterator<T> | undefined;
  readonly #isAsync: boolean;
  /** Whether `next()` of an async iterator has not answered. */
  #isPending = false;
  #isFinished = false;

  constructor(items: Items<T>) {
    this.#items = items;
    this.#isAsync =
      typeof (items as Partial<AsyncIterable<T>>)[Symbol.asyncIterator] === "function";
  }

  /** Whether the iterator has finished or failed by itself, or was closed. It needs no `return()`. */
  get isFinished(): boolean {
    return this.#isFinished;
  }

  /**
   * Reads the next item. Returns a promise if the item has to be waited for: that of an async iterable,
   * and an item that is a promise. Throws, or rejects, if the iterator fails or the item rejects.
   */
  next(): IteratorResult<T, unknown> | Promise<IteratorResult<T, unknown>> {
    if (this.#isAsync) return this.#nextAsync();
    try {
      const iterator = (this.#iterator ??= (this.#items as Iterable<T>)[Symbol.iterator]());
      const step = iterator.next() as IteratorResult<T, unknown>;
      checkStep(step, "map");
      this.#isFinished = step.done === true;
      return !this.#isFinished && isThenable(step.value) ? this.#settle(step.value) : step;
    } catch (error) {
      this.#isFinished = true;
      throw error;
    }
  }

  async #nextAsync(): Promise<IteratorResult<T, unknown>> {
    this.#isPending = true;
    try {
      this.#iterator ??= (this.#items as AsyncIterable<T>)[Symbol.asyncIterator]();
      const step = await this.#iterator.next();
      checkStep(step, "map");
      this.#isFinished = step.done === true;
      return step as IteratorResult<T, unknown>;
    } catch (error) {
      this.#isFinished = true;
      throw error;
    } finally {
      this.#isPending = false;
    }
  }

  /** Awaits an item of a sync iterable. If it rejects, closes the iterable, as a for-await loop does. */
  async #settle(item: PromiseLike<T>): Promise<IteratorResult<T, unknown>> {
    try {
      return { done: false, value: await item };
    } catch (error) {
      await this.#return().catch(() => undefined);
      throw error;
    }
  }

  /**
   * Calls the iterator's `return()` and waits for it. Many async iterators, such as generators, answer it
   * only after their `next()`. So if a `next()` is pending, the wait ends at the latest with `ctx`.
   */
  async close(ctx: Context): Promise<void> {
    const isPending = this.#isPending;
    const returned = this.#return();
    try {
      await (isPending ? waitFor(ctx, returned, "map") : returned);
    } catch (error) {
      if (!isPending || error !== ctx.err()) throw error;
    }
  }

  /** Calls `return()` once, unless the iterator needs none. */
  async #return(): Promise<void> {
    if (this.#isFinished || this.#iterator === undefined) return;
    this.#isFinished = true;
    await this.#iterator.return?.();
  }
}

function isThenable(x: unknown): x is PromiseLike<never> {
  return typeof (Object(x) as Partial<PromiseLike<never>>).then === "function";
}

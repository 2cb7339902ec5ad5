import type { Context } from "../core/context.ts";
import { show } from "../core/show.ts";
import { waitFor } from "./wait-for.ts";

/** What can be read: a sync iterable, whose items may be promises, or an async iterable. */
export type Items<T> = Iterable<T | PromiseLike<T>> | AsyncIterable<T>;

/** Returns whether `x` can be iterated. */
export function isIterable(x: unknown): x is Items<unknown> {
  const { [Symbol.iterator]: sync, [Symbol.asyncIterator]: async } = Object(x) as Partial<
    Iterable<unknown> & AsyncIterable<unknown>
  >;
  return typeof sync === "function" || typeof async === "function";
}

/** The iterator that `map` or `orDone` reads. It is opened by the first read, or by `open`. */
export class Source<T> {
  readonly #items: Items<T>;
  readonly #caller: string;
  #iterator: Iterator<T | PromiseLike<T>> | AsyncIterator<T> | undefined;
  readonly #isAsync: boolean;
  /** Whether `next()` of an async iterator has not answered. */
  #isPending = false;
  #isFinished = false;

  /** `caller` is the function that reads, for messages and as the kind of work. */
  constructor(items: Items<T>, caller: string) {
    this.#items = items;
    this.#caller = caller;
    this.#isAsync =
      typeof (items as Partial<AsyncIterable<T>>)[Symbol.asyncIterator] === "function";
  }

  /** Whether the iterator has finished or failed by itself, or was closed. It needs no `return()`. */
  get isFinished(): boolean {
    return this.#isFinished;
  }

  /** Returns the iterator. Opens it if no read has done so. */
  open(): Iterator<T | PromiseLike<T>> | AsyncIterator<T> {
    return (this.#iterator ??= this.#isAsync
      ? (this.#items as AsyncIterable<T>)[Symbol.asyncIterator]()
      : (this.#items as Iterable<T | PromiseLike<T>>)[Symbol.iterator]());
  }

  /**
   * Reads the next item. Returns a promise if the item has to be waited for: that of an async iterable,
   * and an item that is a promise. Throws, or rejects, if the iterator fails or the item rejects.
   */
  next(): IteratorResult<T, unknown> | Promise<IteratorResult<T, unknown>> {
    if (this.#isAsync) return this.#nextAsync();
    try {
      const step = this.open().next() as IteratorResult<T, unknown>;
      this.#checkStep(step);
      this.#isFinished = step.done === true;
      return !this.#isFinished && isThenable<T>(step.value) ? this.#settle(step.value) : step;
    } catch (error) {
      this.#isFinished = true;
      throw error;
    }
  }

  async #nextAsync(): Promise<IteratorResult<T, unknown>> {
    this.#isPending = true;
    try {
      const step = await this.open().next();
      this.#checkStep(step);
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
      await this.return().catch(() => undefined);
      throw error;
    }
  }

  /**
   * Calls the iterator's `return()` and waits for it. Many async iterators, such as generators, answer it
   * only after their `next()`. So if a `next()` is pending, the wait ends at the latest with `ctx`.
   */
  async close(ctx: Context): Promise<void> {
    const isPending = this.#isPending;
    const returned = this.return();
    try {
      await (isPending ? waitFor(ctx, returned, this.#caller) : returned);
    } catch (error) {
      if (!isPending || error !== ctx.err()) throw error;
    }
  }

  /** Calls the iterator's `return()` once, unless the iterator needs none. */
  async return(): Promise<void> {
    if (this.#isFinished || this.#iterator === undefined) return;
    this.#isFinished = true;
    await this.#iterator.return?.();
  }

  /**
   * Throws a TypeError unless `step` is an object, as a for-await loop does. Any other value has no
   * `done`, so the loop would never end.
   */
  #checkStep(step: unknown): void {
    if (Object(step) === step) return;
    throw new TypeError(
      `${this.#caller} got ${show(step)} from the next() of its iterator; return an object { done, value }`,
    );
  }
}

/** Returns whether `x` is a promise, or can be awaited like one. */
export function isThenable<T>(x: unknown): x is PromiseLike<T> {
  return typeof (Object(x) as Partial<PromiseLike<T>>).then === "function";
}

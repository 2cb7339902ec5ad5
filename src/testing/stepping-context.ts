import { afterFunc, type Context, type Key } from "../index.ts";

/**
 * A context that reports each step that code takes on it, before the step has its effect: each question
 * whether it is done, each read of its signal, and each registration for its end. Children that are
 * derived from it ask it as well. Values and the deadline are no steps, because they do not show whether
 * the context is done.
 */
export class SteppingContext implements Context {
  readonly #inner: Context;
  readonly #step: (name: string) => void;

  constructor(inner: Context, step: (name: string) => void) {
    this.#inner = inner;
    this.#step = step;
  }

  err(): ReturnType<Context["err"]> {
    this.#step("err()");
    return this.#inner.err();
  }

  get signal(): AbortSignal {
    this.#step("signal");
    return this.#inner.signal;
  }

  /** The core calls it instead of reading the signal, when a child is watched. */
  afterFunc(fn: () => void): () => void {
    this.#step("afterFunc()");
    return afterFunc(this.#inner, fn);
  }

  deadline(): Date | undefined {
    return this.#inner.deadline();
  }

  value<T, D>(key: Key<T, D>): T | D {
    return this.#inner.value(key);
  }
}

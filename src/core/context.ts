/// <reference lib="esnext.disposable" preserve="true" />
/** The public interfaces of a context. Any class may implement `Context`. */
import type { ContextError } from "./errors.ts";
import type { Key } from "./values.ts";

/**
 * The request ticket: a deadline, a cancellation and a few values. Every function takes it as its
 * first parameter and passes it on. It has these four members and no others.
 *
 * Any object with the four members may be used as a context. If you implement one, `err()` must
 * return an error from the moment at which `signal` aborts, because a child asks `err()`. An
 * aborted signal ends a child by itself only while the child is watched, because nothing reads the
 * signal for an unwatched child. If `err()` throws, the children end, with what it threw as the cause.
 */
export interface Context {
  /**
   * Returns the time at which the context will end by itself: the earliest deadline of the context
   * and its parents. Returns `undefined` if none of them has a deadline.
   */
  deadline(): Date | undefined;
  /**
   * A real `AbortSignal` that aborts when the context ends, with `err()` as its reason. It is
   * created on the first read.
   *
   * Reading it watches the context. A watch takes about 1 KB until the context ends. To find out
   * whether the context is done, call `err()`. To pass the cancellation on, use `signal`.
   */
  readonly signal: AbortSignal;
  /**
   * Returns `undefined` while the context is live. Afterwards it always returns the same error, and
   * the error's `cause` says why the context ended.
   *
   * It compares the deadline with the monotonic clock, so its result is right even while the event
   * loop is blocked.
   */
  err(): ContextError | undefined;
  /**
   * Returns the value for `key` that is set nearest to this context, or the key's default if no
   * parent sets one.
   */
  value<T, D>(key: Key<T, D>): T | D;
}

/**
 * A context with the right to end it, for the code that created it. Pass it on as a `Context`,
 * which has no `cancel`. End it when its work has ended, most simply with `using`.
 */
export interface CancelableContext extends Context, Disposable {
  /**
   * Ends this context and all its children with a `CanceledError`. If the context is done already,
   * the call does nothing.
   *
   * When `cancel` returns, all of these contexts are done and their abort listeners have run. It
   * does not wait for the work to stop. To do that, `await stopped(ctx)`.
   *
   * `cause` becomes the `cause` of the error, and should be an Error. A cause with the property
   * `finished: true` says that the work had finished, as `Symbol.dispose` does.
   */
  cancel(cause?: unknown): void;
  /** Ends the context as finished. Works like `cancel()`, but does not count as a cancellation. */
  [Symbol.dispose](): void;
}

/**
 * A method that a foreign context may have. This package then calls it instead of adding a listener
 * to the context's `signal`. It calls `fn` once after the context has ended, even if the context is
 * done already, and returns a function that removes `fn`.
 */
export interface OffersAfterFunc {
  afterFunc(fn: () => void): () => unknown;
}

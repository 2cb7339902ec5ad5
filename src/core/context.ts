/// <reference lib="esnext.disposable" preserve="true" />
/** What a context is: the interface that everybody shares, and anyone may implement. */
import type { ContextError } from "./errors.ts";
import type { Key } from "./values.ts";

/**
 * One request's ticket: deadline, cancellation and request-scoped values, handed down through
 * every layer as the first parameter. These four members are all.
 */
export interface Context {
  /** When it will expire by itself, or `undefined`. A parent's earlier deadline counts. */
  deadline(): Date | undefined;
  /**
   * Aborts when the context is done, with `err()` as its reason. A real AbortSignal, made when
   * first read. Reading it *watches* the context, about 1 KB until it ends: to ask, use `err()`;
   * to pass on, use `.signal`.
   */
  readonly signal: AbortSignal;
  /**
   * `undefined` while live, then for ever the same error, whose `cause` is the cause. Compares the
   * monotonic clock with the deadline, so that it is right inside a blocked event loop as well.
   */
  err(): ContextError | undefined;
  /** The nearest value for this key, walking outward; else the key's default. */
  value<T, D>(key: Key<T, D>): T | D;
}

/**
 * A context with the right to end it, kept by whoever derived it. Pass it on as a `Context`, whose
 * type has no `cancel`. Cancel it when its work is over, best with `using`.
 */
export interface CancelableContext extends Context, Disposable {
  /**
   * Ends this context and everything derived from it, with `CanceledError`. Idempotent: the first
   * end wins. When it returns, all of them are done and their abort listeners have run. It does
   * not wait for work to stop; for that there is `stopped`.
   *
   * `cause` is best an Error. One with a property `finished: true` says that the work was over,
   * not cut short: see `Symbol.dispose`.
   */
  cancel(cause?: unknown): void;
  /** Ends it as *finished*: as `cancel()`, but never counted as a cancellation. */
  [Symbol.dispose](): void;
}

/** A foreign context may offer this; it is then used instead of a listener on its signal. */
export interface OffersAfterFunc {
  afterFunc(fn: () => void): () => unknown;
}

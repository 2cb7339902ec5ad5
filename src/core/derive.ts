/** The functions that create contexts. A child leaves nothing on its parent until it is watched. */
import { checkContext } from "./check-context.ts";
import { checkDuration, checkInstant, checkOptions } from "./check.ts";
import type { CancelableContext, Context } from "./context.ts";
import { scopeAfter, scopeUntil } from "./deadline.ts";
import { trackDerived } from "./development.ts";
import { scopeOf, valuesOf } from "./foreign.ts";
import { DetachedContext, RootContext, ScopedContext, ValueContext } from "./handle.ts";
import { join, scopeOfSignal, type AbortSignalLike } from "./join.ts";
import { checkKey, type Key } from "./values.ts";
import { show } from "./show.ts";
import { Scope } from "./tree.ts";

/** The options of `withDeadline` and `withTimeout`. */
export interface DeadlineOptions {
  /** The `cause` of the context's error if this deadline passes. It should be an Error. */
  cause?: unknown;
}

const DEADLINE_OPTIONS = ["cause"];

const backgroundContext = new RootContext("Background");
const todoContext = new RootContext("TODO");

/**
 * Returns the root context, which is never done and has no deadline and no values. Use it in
 * `main`, at startup, in tests and at the top of a job.
 */
export function background(): Context {
  return backgroundContext;
}

/**
 * Returns a context like `background()`. Use it where code should pass a context but does not have
 * one yet.
 */
export function todo(): Context {
  return todoContext;
}

/** Returns a context for `scope` with the values of `parent`. */
function scoped(parent: Context, scope: Scope): CancelableContext {
  const ctx = new ScopedContext(parent, scope, valuesOf(parent));
  trackDerived(ctx, scope);
  return ctx;
}

/**
 * Returns a child of `parent` that ends when `parent` ends or when it is canceled.
 *
 * @example
 * using ctx = withCancel(parent);
 * await download(ctx);
 */
export function withCancel(parent: Context): CancelableContext {
  checkContext(parent, "withCancel");
  return scoped(parent, new Scope(scopeOf(parent)));
}

/**
 * Returns a child of `parent` that ends at a time of the wall clock: a Date, or milliseconds since
 * the Unix epoch. Infinity means no deadline of its own. If `parent` has an earlier deadline, that
 * one counts.
 *
 * The deadline passes by the monotonic clock, so a later change of the wall clock does not move it.
 * It is never later than the wall clock says, and up to 2 ms earlier.
 *
 * Throws a TypeError if `at` is neither a Date nor a number, and a RangeError if it is NaN or an
 * invalid Date.
 *
 * @example
 * using ctx = withDeadline(parent, new Date("2030-01-01T00:00:00Z"));
 * await work(ctx);
 */
export function withDeadline(
  parent: Context,
  at: Date | number,
  options?: DeadlineOptions,
): CancelableContext {
  checkContext(parent, "withDeadline");
  const wall = checkInstant(at, "withDeadline");
  checkOptions(options, "withDeadline", DEADLINE_OPTIONS);
  return scoped(parent, scopeUntil(scopeOf(parent), wall, options?.cause));
}

/**
 * Returns a child of `parent` that ends `ms` milliseconds from now. Infinity means no deadline of
 * its own. Zero and negative numbers mean now. If `parent` has an earlier deadline, that one
 * counts.
 *
 * Throws a TypeError if `ms` is not a number, and a RangeError if it is NaN.
 *
 * @example
 * using ctx = withTimeout(parent, 5_000, { cause: new Error("the report took too long") });
 * return await report(ctx);
 */
export function withTimeout(
  parent: Context,
  ms: number,
  options?: DeadlineOptions,
): CancelableContext {
  checkContext(parent, "withTimeout");
  checkDuration(ms, "withTimeout");
  checkOptions(options, "withTimeout", DEADLINE_OPTIONS);
  return scoped(parent, scopeAfter(scopeOf(parent), ms, options?.cause));
}

/**
 * Returns a child of `parent` with one more value. Use it for data that belongs to the request, not
 * for the parameters of a function.
 *
 * @example
 * const RequestId = key<string>("requestId");
 * const ctx = withValue(parent, RequestId, "r-1");
 */
export function withValue<T>(parent: Context, key: Key<T, unknown>, value: T): Context {
  checkContext(parent, "withValue");
  checkKey(key, "withValue");
  return new ValueContext(parent, scopeOf(parent), valuesOf(parent), key, value);
}

/**
 * Returns a context that has the values of `parent` but does not end with it. Use it for work that
 * continues after the request, such as a rollback. The context has no deadline. Prefer `shield`,
 * which sets one.
 */
export function withoutCancel(parent: Context): Context {
  checkContext(parent, "withoutCancel");
  return new DetachedContext(parent, valuesOf(parent));
}

/**
 * Returns a child of `parent` that also ends when one of the signals aborts, with the signal's
 * reason as its cause. `undefined` and `null` are ignored, so an optional signal needs no special
 * case.
 *
 * The child listens to the signals from the start, because a signal does not record when it
 * aborted. End the child when its work has finished.
 *
 * @example
 * using ctx = withSignal(background(), controller.signal);
 * await work(ctx);
 */
export function withSignal(
  parent: Context,
  ...signals: (AbortSignalLike | null | undefined)[]
): CancelableContext {
  checkContext(parent, "withSignal");
  const sources = signals.filter((signal) => signal !== undefined && signal !== null);
  for (const signal of sources) {
    if (
      typeof (signal as Partial<AbortSignalLike>).addEventListener !== "function" ||
      !("aborted" in signal)
    ) {
      throw new TypeError(
        `withSignal takes AbortSignals after its parent, got ${show(signal)}; pass controller.signal`,
      );
    }
  }
  return scoped(parent, join("WithSignal", scopeOf(parent), sources.map(scopeOfSignal)));
}

/**
 * Returns a child of `parent` that also ends when one of `contexts` ends, with the error of the
 * context that ended first. The child has the values of `parent`, and the earliest deadline of them
 * all.
 *
 * The child listens to all of them from the start. End the child when its work has finished.
 *
 * @example
 * using ctx = merge(request, job);
 * await work(ctx);
 */
export function merge(parent: Context, ...contexts: Context[]): CancelableContext {
  checkContext(parent, "merge");
  for (const ctx of contexts) checkContext(ctx, "merge");
  const sources = contexts.map(scopeOf).filter((scope) => scope !== undefined);
  return scoped(parent, join("Merge", scopeOf(parent), sources));
}

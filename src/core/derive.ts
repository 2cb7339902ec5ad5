/** The functions that make contexts. None of them costs anything on its parent until watched. */
import { checkContext } from "./check-context.ts";
import { checkDuration, checkInstant, checkOptions } from "./check.ts";
import type { CancelableContext, Context } from "./context.ts";
import { scopeAfter, scopeUntil } from "./deadline.ts";
import { trackDropped } from "./development.ts";
import { scopeOf, valuesOf } from "./foreign.ts";
import { DetachedContext, RootContext, ScopedContext, ValueContext } from "./handle.ts";
import { join, scopeOfSignal, type AbortSignalLike } from "./join.ts";
import { checkKey, type Key } from "./values.ts";
import { show } from "./show.ts";
import { Scope } from "./tree.ts";

/** What a deadline may say of itself. */
export interface DeadlineOptions {
  /** The cause when this very deadline passes; best an Error. */
  cause?: unknown;
}

const DEADLINE_OPTIONS = ["cause"];

const backgroundContext = new RootContext("Background");
const todoContext = new RootContext("TODO");

/** The root: never done, no deadline, no values. For main, start-up, tests and the top of a job. */
export function background(): Context {
  return backgroundContext;
}

/** As `background()`, but says that a real context should be passed here and is not yet. */
export function todo(): Context {
  return todoContext;
}

function scoped(parent: Context, scope: Scope): CancelableContext {
  const ctx = new ScopedContext(parent, scope, valuesOf(parent));
  trackDropped(ctx, scope);
  return ctx;
}

/** A child that ends when its parent does or when it is canceled. */
export function withCancel(parent: Context): CancelableContext {
  checkContext(parent, "withCancel");
  return scoped(parent, new Scope(scopeOf(parent)));
}

/**
 * A child that expires at a wall-clock time (a Date or epoch milliseconds). Expiry itself goes by
 * the monotonic clock: setting the wall clock later moves nothing. Infinity means no deadline.
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
 * A child that expires `ms` milliseconds from now. Infinity means no deadline of its own, zero and
 * negative mean now; an earlier deadline of the parent wins.
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

/** A child that carries one more value: for what belongs to the request, not for parameters. */
export function withValue<T>(parent: Context, key: Key<T, unknown>, value: T): Context {
  checkContext(parent, "withValue");
  checkKey(key, "withValue");
  return new ValueContext(parent, scopeOf(parent), valuesOf(parent), key, value);
}

/**
 * Values without the end: for work that must go on after the request, such as a rollback. It has
 * no bound of its own: prefer `shield`, which has.
 */
export function withoutCancel(parent: Context): Context {
  checkContext(parent, "withoutCancel");
  return new DetachedContext(parent, valuesOf(parent));
}

/**
 * A child that also ends when one of the signals aborts, with the signal's reason as its cause.
 * `undefined` and `null` are passed over: an optional signal needs no special case. Listens from
 * birth, because a bare signal cannot say when it aborted: end it when its work is over.
 */
export function withSignal(
  parent: Context,
  ...signals: (AbortSignalLike | null | undefined)[]
): CancelableContext {
  checkContext(parent, "withSignal");
  const given = signals.filter((signal) => signal !== undefined && signal !== null);
  for (const signal of given) {
    if (
      typeof (signal as Partial<AbortSignalLike>).addEventListener !== "function" ||
      !("aborted" in signal)
    ) {
      throw new TypeError(
        `withSignal takes AbortSignals after its parent, got ${show(signal)}; pass controller.signal`,
      );
    }
  }
  return scoped(parent, join("WithSignal", scopeOf(parent), given.map(scopeOfSignal)));
}

/**
 * A child with its parent's values that ends when any of the contexts does, with that one's error;
 * its deadline is the earliest of all. Listens from birth: end it when its work is over.
 */
export function merge(parent: Context, ...contexts: Context[]): CancelableContext {
  checkContext(parent, "merge");
  for (const ctx of contexts) checkContext(ctx, "merge");
  const sources = contexts.map(scopeOf).filter((scope) => scope !== undefined);
  return scoped(parent, join("Merge", scopeOf(parent), sources));
}

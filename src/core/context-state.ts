/** Functions that read the state of a context, beyond its four members. None of them watches it. */
import { checkContext } from "./check-context.ts";
import { checkDuration } from "./check.ts";
import { now } from "./clock.ts";
import type { Context } from "./context.ts";
import { scopeOf } from "./foreign.ts";
import { readProperty } from "./foreign-value.ts";
import { endOf } from "./tree.ts";

/**
 * Returns why `ctx` is done: `err().cause`, or `err()` itself if it has no cause. Returns
 * `undefined` while `ctx` is live.
 */
export function cause(ctx: Context): unknown {
  checkContext(ctx, "cause");
  const err = ctx.err();
  return readProperty(err, "cause") ?? err;
}

/** Throws `ctx.err()` if `ctx` is done. */
export function throwIfDone(ctx: Context): void {
  checkContext(ctx, "throwIfDone");
  const err = ctx.err();
  if (err !== undefined) throw err;
}

/**
 * Returns the milliseconds until the deadline of `ctx`: `Infinity` if it has none, 0 if `ctx` is
 * done.
 */
export function remaining(ctx: Context): number {
  checkContext(ctx, "remaining");
  const scope = scopeOf(ctx);
  if (scope === undefined) return Infinity;
  if (endOf(scope) !== undefined) return 0;
  return scope.limit === undefined ? Infinity : Math.max(0, scope.limit.at - now());
}

/** Returns whether `ctx` can ever end, unlike `background()`. */
export function canEnd(ctx: Context): boolean {
  return scopeOf(ctx) !== undefined;
}

/** Returns whether `ctx` has ended as finished, such as that of a request after its response. */
export function isFinished(ctx: Context): boolean {
  const scope = scopeOf(ctx);
  const end = scope && endOf(scope);
  return end?.kind === "finished" || readProperty(end?.cause, "finished") === true;
}

/**
 * Returns whether `ctx` is live and has at least `ms` milliseconds left. Call it before work whose
 * duration you know.
 */
export function hasBudget(ctx: Context, ms: number): boolean {
  checkContext(ctx, "hasBudget");
  checkDuration(ms, "hasBudget");
  return ctx.err() === undefined && remaining(ctx) >= ms;
}

/**
 * Returns whether `ctx` is done for a reason of its own, such as its own timeout, and not because
 * its parent ended.
 *
 * @example
 * // A retry loop continues after its own timeout, and stops if the caller's context ended.
 * using attempt = withTimeout(ctx, 100);
 * try {
 *   return await ask(attempt);
 * } catch (error) {
 *   if (!endedHere(attempt)) throw error;
 * }
 */
export function endedHere(ctx: Context): boolean {
  checkContext(ctx, "endedHere");
  const scope = scopeOf(ctx);
  const end = scope && endOf(scope);
  return end !== undefined && end !== (scope?.parent && endOf(scope.parent));
}

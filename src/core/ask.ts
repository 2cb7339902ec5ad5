/** Questions to a context, beyond its four members. They watch nothing. */
import { checkContext } from "./check-context.ts";
import { checkDuration } from "./check.ts";
import { now } from "./clock.ts";
import type { Context } from "./context.ts";
import { scopeOf } from "./foreign.ts";
import { endOf } from "./tree.ts";

/** Why `ctx` is done: `err().cause`, or `err()` itself without one; `undefined` while it lives. */
export function cause(ctx: Context): unknown {
  checkContext(ctx, "cause");
  const err = ctx.err();
  return err?.cause ?? err;
}

/** Throws `ctx.err()` if `ctx` is done. */
export function throwIfDone(ctx: Context): void {
  checkContext(ctx, "throwIfDone");
  const err = ctx.err();
  if (err !== undefined) throw err;
}

/** Milliseconds left: `Infinity` without a deadline, 0 once done. */
export function remaining(ctx: Context): number {
  checkContext(ctx, "remaining");
  const scope = scopeOf(ctx);
  if (scope === undefined) return Infinity;
  if (endOf(scope) !== undefined) return 0;
  return scope.limit === undefined ? Infinity : Math.max(0, scope.limit.at - now());
}

/** Whether `ctx` lives and has at least `ms` milliseconds left: ask before work of known cost. */
export function hasBudget(ctx: Context, ms: number): boolean {
  checkContext(ctx, "hasBudget");
  checkDuration(ms, "hasBudget");
  return ctx.err() === undefined && remaining(ctx) >= ms;
}

/**
 * Whether `ctx` is done for a reason of its own and not of its parent's: my own 100 ms, or my
 * caller's? A retry loop goes on after the first and gives up after the second.
 */
export function endedHere(ctx: Context): boolean {
  checkContext(ctx, "endedHere");
  const scope = scopeOf(ctx);
  const end = scope && endOf(scope);
  return end !== undefined && end !== (scope?.parent && endOf(scope.parent));
}

import { checkContext } from "../core/check-context.ts";
import { checkDuration, checkFunction } from "../core/check.ts";
import type { CancelableContext, Context } from "../core/context.ts";
import { finish } from "../core/handle.ts";
import { withoutCancel, withTimeout } from "../core/derive.ts";

/**
 * Runs `fn` under a context that expires after `ms` milliseconds, and ends that context when `fn`
 * is over: `withTimeout` that cannot be forgotten. Waits for `fn` itself, whatever the clock says,
 * and returns or throws what it does.
 */
export async function within<T>(
  ctx: Context,
  ms: number,
  fn: (ctx: Context) => T | PromiseLike<T>,
): Promise<T> {
  checkContext(ctx, "within");
  checkDuration(ms, "within");
  checkFunction(fn, "within", "what to run: (ctx) => …");
  return await runAndEnd(withTimeout(ctx, ms), fn);
}

/**
 * Runs `fn` detached from the end of `ctx` (its values pass), for what must happen even now: a
 * rollback, a last log line. Never without a bound: after `budgetMs` milliseconds its context
 * expires like any other.
 */
export async function shield<T>(
  ctx: Context,
  budgetMs: number,
  fn: (ctx: Context) => T | PromiseLike<T>,
): Promise<T> {
  checkContext(ctx, "shield");
  checkDuration(budgetMs, "shield");
  if (budgetMs === Infinity) {
    throw new RangeError(
      "shield needs a finite budget in milliseconds: it is there to prevent work that nothing can end; pass a number",
    );
  }
  checkFunction(fn, "shield", "what to run: (ctx) => …");
  return await runAndEnd(withTimeout(withoutCancel(ctx), budgetMs), fn);
}

/** Not `using`, which would need a `Symbol.dispose` of every platform. */
async function runAndEnd<T>(
  inner: CancelableContext,
  fn: (ctx: Context) => T | PromiseLike<T>,
): Promise<T> {
  try {
    return await fn(inner);
  } finally {
    finish(inner);
  }
}

import { checkContext } from "../core/check-context.ts";
import { checkDuration, checkFunction } from "../core/check.ts";
import type { CancelableContext, Context } from "../core/context.ts";
import { finish } from "../core/handle.ts";
import { withoutCancel, withTimeout } from "../core/derive.ts";
import { outlive } from "../work/outlive.ts";
import { checkCall } from "../work/wrong-context.ts";

/**
 * Runs `fn` under a child of `ctx` that ends after `ms` milliseconds, and returns the result of
 * `fn`. The child ends when `fn` has finished, so unlike with `withTimeout` you cannot forget to
 * end it.
 *
 * Waits until `fn` has settled, even if the time passes before that.
 *
 * @example
 * const rows = await within(ctx, 500, (ctx) => db.query(ctx, "select 1"));
 */
export async function within<T>(
  ctx: Context,
  ms: number,
  fn: (ctx: Context) => T | PromiseLike<T>,
): Promise<T> {
  checkCall(ctx, "within", within);
  checkDuration(ms, "within");
  checkFunction(fn, "within", "a function to run: (ctx) => …");
  return await runAndEnd(withTimeout(ctx, ms), fn);
}

/**
 * Runs `fn` under a context that has the values of `ctx` but does not end with it, and returns the
 * result of `fn`. Use it for a step that must happen even if `ctx` is done, such as a rollback.
 *
 * The context of `fn` ends after `budgetMs` milliseconds, so that no step runs without a limit. It
 * also ends when `fn` has finished. Under the context of a request, `serve` of `eightysix/http` waits
 * for `fn`, within its own limits.
 *
 * Rejects with a RangeError if `budgetMs` is Infinity.
 *
 * @example
 * await shield(ctx, 2_000, async (ctx) => {
 *   const charge = await chargeCard(ctx, order);
 *   await recordCharge(ctx, order, charge);
 * });
 */
export async function shield<T>(
  ctx: Context,
  budgetMs: number,
  fn: (ctx: Context) => T | PromiseLike<T>,
): Promise<T> {
  checkContext(ctx, "shield");
  checkBudget(budgetMs, "shield");
  checkFunction(fn, "shield", "a function to run: (ctx) => …");
  const inner = withTimeout(withoutCancel(ctx), budgetMs);
  outlive(ctx, inner, "shield");
  return await runAndEnd(inner, fn);
}

/**
 * Works like `shield`, for the cleanup of this package itself, such as a ROLLBACK. It does not count
 * as a shield of the request: nothing waits for it beyond its caller.
 */
export async function cleanUp<T>(
  ctx: Context,
  budgetMs: number,
  fn: (ctx: Context) => T | PromiseLike<T>,
): Promise<T> {
  return await runAndEnd(withTimeout(withoutCancel(ctx), budgetMs), fn);
}

/** Throws unless `budgetMs` is a finite number of milliseconds. */
export function checkBudget(budgetMs: unknown, caller: string): void {
  checkDuration(budgetMs, caller);
  if (budgetMs !== Infinity) return;
  throw new RangeError(
    `${caller} needs a finite budget in milliseconds, got Infinity; pass a number, because nothing else can end the work`,
  );
}

/**
 * Runs `fn` and ends its context. Does not use `using`, because some platforms have no
 * `Symbol.dispose`.
 */
export async function runAndEnd<T>(
  inner: CancelableContext,
  fn: (ctx: Context) => T | PromiseLike<T>,
): Promise<T> {
  try {
    return await fn(inner);
  } finally {
    finish(inner);
  }
}

import { checkContext } from "../core/check-context.ts";
import { checkFunction } from "../core/check.ts";
import type { CancelableContext, Context } from "../core/context.ts";
import { withoutCancel, withTimeout } from "../core/derive.ts";
import { finish } from "../core/handle.ts";
import { warn } from "../core/warn.ts";
import { describeFailure } from "../work/describe-failure.ts";
import { ledgersOf, withLedger } from "../work/ledger.ts";
import { outlive } from "../work/outlive.ts";
import { checkBudget } from "./within.ts";

/**
 * Starts `fn`, and does not wait for it. Use it for work that a request starts and does not need,
 * such as a counter or an audit record: a promise that is merely not awaited is canceled when the
 * request is finished.
 *
 * `fn` gets a context that has the values of `ctx`, does not end with it, and has a ledger of its
 * own. That context ends after `budgetMs` milliseconds, and when `fn` has finished. `fn` runs to its
 * first `await` before `detach` returns.
 *
 * Under the context of a request, `serve` of `eightysix/http` waits for `fn`, within its own limits.
 * If `fn` throws or rejects, also because its budget has passed, the error goes to the option
 * `onDetachedError` of `serve`. Without that option, it becomes a process warning. It is never an
 * unhandled rejection.
 *
 * Throws a RangeError if `budgetMs` is Infinity.
 *
 * @example
 * detach(ctx, 2_000, async (ctx) => {
 *   await redis.incr(ctx, "hits");
 * });
 */
export function detach(ctx: Context, budgetMs: number, fn: (ctx: Context) => unknown): void {
  checkContext(ctx, "detach");
  checkBudget(budgetMs, "detach");
  checkFunction(fn, "detach", "a function to run: (ctx) => …");
  const inner = withTimeout(withoutCancel(ctx), budgetMs);
  outlive(ctx, inner, "detach");
  // eslint-disable-next-line eightysix/no-floating-work -- this is detach, which owns the work
  void run(ctx, inner, fn);
}

/** Never rejects. */
async function run(
  outer: Context,
  inner: CancelableContext,
  fn: (ctx: Context) => unknown,
): Promise<void> {
  const ctx = withLedger(inner);
  try {
    await fn(ctx);
  } catch (error) {
    // Before the end of `inner`, so that a shutdown also waits for the report.
    await report(outer, ctx, error);
  }
  finish(inner);
}

/** Never rejects. */
async function report(outer: Context, ctx: Context, error: unknown): Promise<void> {
  const [onError] = [...ledgersOf(outer)].flatMap(({ onDetachedError }) => onDetachedError ?? []);
  if (onError === undefined) {
    warnOf(
      "a function of detach failed; repair it, or take its error with the option onDetachedError of serve",
      error,
    );
    return;
  }
  try {
    await onError(ctx, error);
  } catch (bug) {
    warnOf("onDetachedError of serve failed; it must not throw or reject", bug);
  }
}

function warnOf(message: string, error: unknown): void {
  warn(message, {
    type: "DetachedError",
    code: "EIGHTYSIX_DETACHED_FAILED",
    detail: describeFailure(error),
  });
}

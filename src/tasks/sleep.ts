import { afterFunc } from "../core/after-func.ts";
import { checkDuration } from "../core/check.ts";
import { callAt, now } from "../core/clock.ts";
import type { Context } from "../core/context.ts";
import { checkCall } from "../work/wrong-context.ts";

/**
 * Resolves after `ms` milliseconds. If `ctx` ends first, it clears its timer and rejects with
 * `ctx.err()`.
 *
 * Zero and negative durations resolve at once. `Infinity` waits until `ctx` ends. The timer keeps
 * the process running while it waits.
 *
 * @example
 * await sleep(ctx, 1_000);
 */
export function sleep(ctx: Context, ms: number): Promise<void> {
  checkCall(ctx, "sleep", sleep);
  checkDuration(ms, "sleep");
  const err = ctx.err();
  if (err !== undefined) return Promise.reject(err);
  if (ms <= 0) return Promise.resolve();
  return sleepUntil(ctx, now() + ms);
}

/**
 * Resolves when the monotonic clock has reached `at`, after at least one turn of the event loop. If
 * `ctx` ends first, it clears its timer and rejects with `ctx.err()`.
 */
export function sleepUntil(ctx: Context, at: number): Promise<void> {
  return new Promise((resolve, reject) => {
    // Before the timer, because a foreign context that cannot be watched throws here.
    const stop = afterFunc(ctx, (err) => {
      clear();
      reject(err);
    });
    const clear = callAt(
      at,
      () => {
        // If `stop()` returns false, `ctx` ended first, and its callback is about to run.
        if (stop()) resolve();
      },
      true,
    );
  });
}

import { afterFunc } from "../core/after-func.ts";
import { checkContext } from "../core/check-context.ts";
import { checkDuration } from "../core/check.ts";
import { callAt, now } from "../core/clock.ts";
import type { Context } from "../core/context.ts";

/**
 * Resolves after `ms` milliseconds; rejects with `ctx.err()` as soon as `ctx` is done, its timer
 * cleared. Zero and negative durations resolve at once, and `Infinity` waits for `ctx` alone.
 * While it waits the process is kept alive, as by any sleep.
 */
export function sleep(ctx: Context, ms: number): Promise<void> {
  checkContext(ctx, "sleep");
  checkDuration(ms, "sleep");
  const err = ctx.err();
  if (err !== undefined) return Promise.reject(err);
  if (ms <= 0) return Promise.resolve();
  return new Promise((resolve, reject) => {
    const clear = callAt(
      now() + ms,
      () => {
        // False: `ctx` was done first, and its callback is on the way.
        if (stop()) resolve();
      },
      true,
    );
    const stop = afterFunc(ctx, (err) => {
      clear();
      reject(err);
    });
  });
}

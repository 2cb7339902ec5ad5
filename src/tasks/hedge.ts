import { checkCount, checkDuration, checkFunction, checkOptions } from "../core/check.ts";
import { throwIfDone } from "../core/context-state.ts";
import type { Context } from "../core/context.ts";
import { show } from "../core/show.ts";
import { Attempts } from "./attempts.ts";
import { recentCallsOf } from "./recent-calls.ts";
import type { Task } from "./task.ts";
import { checkCall } from "../work/wrong-context.ts";

/** The options of `hedge`. */
export interface HedgeOptions {
  /**
   * The milliseconds without a success after which another attempt starts. A good value is the time
   * in which 95 % of the calls succeed. Infinity starts another attempt only after a failure.
   */
  after: number;
  /** The most attempts of a call, the first one included. */
  max: number;
  /**
   * Bounds the extra attempts, so that they do not double the load of a service that is slow for
   * everyone. It is a share, from 0 to 1: with 0.1, the calls of a second may start one extra
   * attempt for every ten of them. The default is no bound.
   *
   * Only calls with the same options object are counted together, so keep one object for each service,
   * and pass it to every call. If each call has a new object, each object counts one call, and no extra
   * attempt starts.
   */
  extraShare?: number;
}

/**
 * Runs `task`, and starts further attempts while none has succeeded: one after every `after`
 * milliseconds, and one at once after an attempt fails, at most `max` in all. Returns the result of
 * the first attempt that succeeds. It cuts the slowest calls short, at the price of some more calls.
 *
 * The task must be idempotent, because several attempts can take effect, even if only one result is
 * returned. A failure that another attempt cannot repair, such as "not found", should be a result
 * and not an error.
 *
 * Each attempt runs under a child of `ctx` of its own. `hedge` returns the first success at once,
 * because the other attempts can take long to stop. Their contexts are canceled with a `Superseded`
 * as the cause. Each attempt is work of the kind "hedge" in the ledger until it has ended, so
 * `stopped(ctx)` waits for it. What the other attempts return or throw is dropped.
 *
 * If all attempts fail, rejects with the error of the first failure. So a call fails with the same
 * errors as the task alone. The later failures are in the error's `suppressed`, as in `group`.
 *
 * If `ctx` ends, no further attempt starts. `hedge` waits until all attempts have ended. Then it
 * returns the result of one that has succeeded, or rejects with `ctx.err()`. If `ctx` is done already,
 * no attempt starts.
 *
 * Rejects with a TypeError if `task` is not a function or an option is not a number, and with
 * a RangeError if `after` is NaN, `max` is not a whole number of at least 1, or `extraShare` is not
 * from 0 to 1.
 *
 * @example
 * const policy = { after: 50, max: 2, extraShare: 0.1 }; // one object for all calls
 * const price = await hedge(ctx, (ctx) => fetchPrice(ctx, item), policy);
 */
export async function hedge<T>(ctx: Context, task: Task<T>, options: HedgeOptions): Promise<T> {
  checkCall(ctx, "hedge", hedge);
  checkFunction(task, "hedge", "a function that starts an attempt: (ctx) => …");
  checkOptions(options, "hedge", ["after", "max", "extraShare"]);
  const { after, max, extraShare } = (options as Partial<HedgeOptions> | undefined) ?? {};
  checkDuration(after, "the option after of hedge");
  checkCount(max, "hedge", "max", "pass 2 for one extra attempt");
  checkShare(extraShare);
  throwIfDone(ctx);

  let mayStartExtra = (): boolean => true;
  if (extraShare !== undefined) {
    const recent = recentCallsOf(options);
    recent.addCall();
    mayStartExtra = () => recent.tryExtra(extraShare);
  }
  return await new Attempts(ctx, task, { after, max, mayStartExtra }).run();
}

function checkShare(share: unknown): asserts share is number | undefined {
  if (share === undefined) return;
  if (typeof share !== "number")
    throw new TypeError(`hedge takes a number as extraShare, got ${show(share)}; pass a number`);
  if (share >= 0 && share <= 1) return;
  throw new RangeError(
    `hedge takes an extraShare from 0 to 1, got ${show(share)}; leave it out for no bound`,
  );
}

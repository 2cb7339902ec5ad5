/**
 * What the shields of a request mean for the answers that this package gives to it. A function of
 * `shield` may succeed although the context has ended. A client that is told to try again would then
 * do it twice. Runs on every platform.
 *
 * - An answer that the server's own limit, `parent` or the shutdown causes waits while such a function
 *   runs, so that the handler can say what came of it.
 * - A caller whose own deadline has passed is not waiting any more, so its answer does not wait.
 * - Once such a function has begun, no answer is a 503, and none has Retry-After.
 */
import type { Context } from "../../index.ts";
import { shieldsOf } from "../../internal.ts";
import { statusOf } from "./status.ts";

const LOCAL_END = 503;

/**
 * Calls `answer` now, or after the last shield of the request has settled and `turn` has passed. The
 * budget of each shield bounds the wait. `ctx` is done.
 */
export function afterShields(ctx: Context, turn: () => Promise<unknown>, answer: () => void): void {
  const shields = shieldsOf(ctx);
  if (shields.running === 0 || statusOf(ctx) !== LOCAL_END) answer();
  else
    void shields
      .settled()
      .then(turn)
      // The handler may have begun another one.
      .then(() => afterShields(ctx, turn, answer));
}

/**
 * Returns the status for an answer of this package whose status would be `status`. A request that is
 * finished gets no answer any more, so nothing is wrong with work that its end has stopped.
 */
export function statusAfterShields(ctx: Context, status: number): number {
  if (ctx.err() !== undefined && statusOf(ctx) === 200) return status;
  return status === LOCAL_END && shieldsOf(ctx).hasBegun ? 500 : status;
}

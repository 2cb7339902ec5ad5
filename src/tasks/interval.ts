import { throwIfDone } from "../core/context-state.ts";
import { now } from "../core/clock.ts";
import type { Context } from "../core/context.ts";
import { show } from "../core/show.ts";
import { sleepUntil } from "./sleep.ts";
import { checkCall } from "../work/wrong-context.ts";

/** The shortest interval, in milliseconds. It keeps the index of a tick a safe integer. */
const SHORTEST = 0.001;

/**
 * Iterates over the ticks of a clock, one for every `ms` milliseconds, until `ctx` ends. Then the
 * loop throws `ctx.err()`.
 *
 * The loop gets the index of each tick. Tick `n` is due at `n * ms` after the first `next()`, so the
 * first tick is 1, and comes after `ms` milliseconds. However long the body of the loop takes, the
 * ticks stay on that grid. Ticks that fall due while the body runs are missed, and do not pile up:
 * after the body, the next point of the grid is the next tick. The number of missed ticks is the index
 * minus that of the tick before, minus 1. No tick comes early, and none comes twice.
 *
 * A timer is set only while the loop waits for a tick. It keeps the process running. A platform
 * timer takes at least 1 ms, so shorter intervals miss ticks.
 *
 * The result can be iterated once. Throws a TypeError if `ms` is not a number, and a RangeError if
 * it is not finite or is less than 0.001.
 *
 * @example
 * for await (const tick of interval(ctx, 60_000)) await report(ctx, tick);
 */
export function interval(ctx: Context, ms: number): AsyncIterableIterator<number> {
  checkCall(ctx, "interval", interval);
  if (typeof ms !== "number")
    throw new TypeError(
      `interval takes a duration in milliseconds, got ${show(ms)}; pass a number`,
    );
  if (!(ms >= SHORTEST && ms < Infinity))
    throw new RangeError(
      `interval takes a finite number of milliseconds of at least ${SHORTEST}, got ${show(ms)}; pass such a number`,
    );
  return ticks(ctx, ms);
}

async function* ticks(ctx: Context, ms: number): AsyncGenerator<number> {
  const start = now();
  for (let tick = 1, time = start; ;) {
    throwIfDone(ctx);
    const due = start + tick * ms;
    if (due > time) await sleepUntil(ctx, due);
    yield tick;
    time = now();
    tick = Math.max(tick + 1, Math.ceil((time - start) / ms));
  }
}

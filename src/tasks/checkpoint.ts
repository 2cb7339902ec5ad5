import { now } from "../core/clock.ts";
import type { Context } from "../core/context.ts";
import { scopeOf } from "../core/foreign.ts";
import { dependOn, currentEndEpoch } from "../core/tree.ts";
import { checkCall } from "../work/wrong-context.ts";

/** How long a loop may hold the event loop, in milliseconds, before `checkpoint` makes it yield. */
const SLICE = 10;
/**
 * The time between two reads of the clock, in milliseconds. The stride grows until it is reached.
 */
const INTERVAL = 0.5;
/**
 * The most calls between two reads of the clock. A read costs 100 ns, so a longer stride gains
 * nothing. It would do harm, because one turn of the loop can take a thousand times as long as the
 * turn before.
 */
const LONGEST_STRIDE = 256;

/** The context of the last call that read the clock. */
let lastContext: Context | undefined;
/** The `currentEndEpoch()` of that call. */
let epochThen = -1;
/** The calls for that context that are left before the next read of the clock. */
let left = 0;
/** The calls for that context between two reads of the clock. */
let stride = 1;
/** The time of the last read. */
let lookedAt = 0;
/** The time until which the loop may hold the event loop. */
let sliceEnds = 0;

/**
 * Makes a CPU-bound loop stoppable, and lets other work run in between.
 *
 * - If `ctx` is done, throws `ctx.err()`.
 * - If the loop has held the event loop for 10 ms, returns a promise. Await the promise, so that
 *   timers and connections get their turn. It rejects with `ctx.err()` if `ctx` has ended in the
 *   meantime.
 * - Otherwise, returns `undefined`. That takes a few nanoseconds.
 *
 * @example
 * for (const row of rows) {
 *   await checkpoint(ctx); // a little faster: const turn = checkpoint(ctx); if (turn) await turn;
 *   process(row);
 * }
 */
export function checkpoint(ctx: Context): Promise<void> | undefined {
  if (ctx === lastContext && epochThen === currentEndEpoch() && --left > 0) return undefined;
  return look(ctx);
}

/** Checks the context and the clock, and decides when to do so again. */
function look(ctx: Context): Promise<void> | undefined {
  checkCall(ctx, "checkpoint", checkpoint);
  const err = ctx.err();
  if (err !== undefined) throw err;
  const time = now();
  if (ctx !== lastContext) {
    const scope = scopeOf(ctx);
    // Makes a cancellation change the epoch, which the short way in `checkpoint` compares.
    if (scope !== undefined) dependOn(scope);
    lastContext = ctx;
    stride = 1;
  } else {
    const fitting = Math.floor((stride * INTERVAL) / (time - lookedAt));
    stride = Math.max(1, Math.min(fitting, stride * 2, LONGEST_STRIDE));
  }
  epochThen = currentEndEpoch();
  left = stride;
  lookedAt = time;
  return time < sliceEnds ? undefined : takeTurn(ctx);
}

/** Lets the event loop turn once. All loops share one slice of time, because yielding is cheap. */
async function takeTurn(ctx: Context): Promise<void> {
  await new Promise<void>(nextTurn);
  sliceEnds = now() + SLICE;
  const err = ctx.err();
  if (err !== undefined) throw err;
}

interface Turns {
  setImmediate?: (fn: () => void) => unknown;
  setTimeout: (fn: () => void, ms: number) => unknown;
}

/** Calls `fn` after input and output have had their turn. A microtask would run before them. */
function nextTurn(fn: () => void): void {
  const { setImmediate, setTimeout } = globalThis as unknown as Turns;
  if (setImmediate !== undefined) setImmediate(fn);
  else setTimeout(fn, 0);
}

import { checkContext } from "../core/check-context.ts";
import { now } from "../core/clock.ts";
import type { Context } from "../core/context.ts";
import { scopeOf } from "../core/foreign.ts";
import { dependOn, currentEndEpoch } from "../core/tree.ts";

/** How long a loop may hold the event loop before it is made to yield, in milliseconds. */
const SLICE = 10;
/** Looks at the clock come this far apart, in milliseconds: the stride grows until they do. */
const APART = 0.5;
/** A look costs 100 ns, so more would gain nothing; and turns may become a thousand times as long. */
const LONGEST_STRIDE = 256;

let current: Context | undefined;
let countThen = -1;
let left = 0;
let stride = 1;
let lookedAt = 0;
let sliceEnds = 0;

/**
 * For loops that compute: throws `ctx.err()` if `ctx` is done; returns a promise when the loop has
 * held the event loop for 10 ms, to be awaited so that others (a disconnect, a timer) get their
 * turn; returns `undefined` otherwise, for about a nanosecond.
 *
 *     for (const row of rows) {
 *       await checkpoint(ctx); // or, a little faster: const turn = checkpoint(ctx); if (turn) await turn;
 *       …
 *     }
 *
 * The promise rejects with `ctx.err()` if the context ended meanwhile.
 */
export function checkpoint(ctx: Context): Promise<void> | undefined {
  if (ctx === current && countThen === currentEndEpoch() && --left > 0) return undefined;
  return look(ctx);
}

function look(ctx: Context): Promise<void> | undefined {
  checkContext(ctx, "checkpoint");
  const err = ctx.err();
  if (err !== undefined) throw err;
  const time = now();
  if (ctx !== current) {
    const scope = scopeOf(ctx);
    // So that its cancellation is counted, and the quick way out above notices.
    if (scope !== undefined) dependOn(scope);
    current = ctx;
    stride = 1;
  } else {
    const fitting = Math.floor((stride * APART) / (time - lookedAt));
    stride = Math.max(1, Math.min(fitting, stride * 2, LONGEST_STRIDE));
  }
  countThen = currentEndEpoch();
  left = stride;
  lookedAt = time;
  return time < sliceEnds ? undefined : takeTurn(ctx);
}

/** Lets the event loop turn once. When in doubt whose slice is spent, yielding is cheap. */
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

/** After input and output have had their turn; a microtask would let nothing in. */
function nextTurn(fn: () => void): void {
  const { setImmediate, setTimeout } = globalThis as unknown as Turns;
  if (setImmediate !== undefined) setImmediate(fn);
  else setTimeout(fn, 0);
}

/**
 * The one place where time comes from.
 *
 * Everything is looked up when it is used and never captured, so fake timers that replace the
 * globals (vitest, sinon) just work; what fakes only some of them (`node:test` leaves
 * `performance` alone) installs a clock of its own through `eightysix/testing`.
 */

/** Where a context takes time and timers from. All durations and instants are milliseconds. */
export interface Clock {
  /** Monotonic time; only differences mean anything. */
  now(): number;
  /** Wall-clock time, milliseconds since the Unix epoch. */
  wall(): number;
  /**
   * Calls `fn` once after about `ms` (0 … 2³¹−1) and returns what cancels that.
   * `keepAlive` says whether the timer alone may keep the process running.
   */
  setTimer(fn: () => void, ms: number, keepAlive: boolean): () => void;
}

/** What every JavaScript platform has; declared here so that no platform's types are needed. */
interface Platform {
  performance: { now(): number };
  setTimeout(fn: () => void, ms: number): unknown;
  clearTimeout(id: unknown): void;
}

const platform = globalThis as unknown as Platform;

export const platformClock: Clock = {
  now: () => platform.performance.now(),
  wall: () => Date.now(),
  setTimer(fn, ms, keepAlive) {
    const id = platform.setTimeout(fn, ms);
    if (!keepAlive) (id as { unref?: () => void }).unref?.();
    return () => {
      platform.clearTimeout(id);
    };
  },
};

let clock = platformClock;

/** Replaces the clock for the whole package and returns the one it replaced. */
export function swapClock(next: Clock): Clock {
  const previous = clock;
  clock = next;
  difference = Number.NaN;
  return previous;
}

export function now(): number {
  return clock.now();
}

/** The longest delay a platform timer takes; longer ones fire at once, so they are cut in pieces. */
const LONGEST = 2 ** 31 - 1;

/**
 * Calls `fn` when the monotonic clock has reached `at`, never before: platform timers round down
 * and overflow, so the clock is asked again when one fires.
 */
export function callAt(at: number, fn: () => void, keepAlive: boolean): () => void {
  let clear: () => void;
  const arm = (): void => {
    const left = Math.min(Math.max(Math.ceil(at - clock.now()), 1), LONGEST);
    clear = clock.setTimer(fire, left, keepAlive);
  };
  const fire = (): void => {
    if (clock.now() < at) arm();
    else fn();
  };
  arm();
  return () => {
    clear();
  };
}

/** How far the platform's wall clock may lag, in milliseconds: it drops the fraction. */
const LAG = 1;
/** How far two readings of the difference may lie apart, in milliseconds, before the clock counts as set. */
const JITTER = 2 * LAG;
/** Smaller errors come from rounding. */
const ROUNDING = 0.01;

/**
 * The latched difference between the wall clock and the monotonic clock, in milliseconds.
 *
 * It is latched because equal wall-clock deadlines must share one monotonic value. Otherwise the
 * jitter between the two clocks would decide which of two equal deadlines came first.
 *
 * It is never less than the difference that the clocks show, so that no deadline is later than the
 * wall clock says. A monotonic clock that shows fractions can show a difference that is greater by up
 * to `LAG` a moment later, so `LAG` is added when the difference is latched. A fake clock counts whole
 * milliseconds and is exact.
 */
let difference = Number.NaN;

/** Latches the difference anew if the wall clock has been set (or faked). */
function updateDifference(): void {
  // Reads twice, because a pause between the readings of the two clocks looks like a set clock.
  for (let i = 0; i < 2; i++) {
    const wall = clock.wall();
    const monotonic = clock.now();
    const extra = Number.isInteger(monotonic) ? 0 : LAG;
    const current = wall - monotonic + extra * ROUNDING;
    if (current <= difference && difference - current < JITTER + ROUNDING) return;
    if (i > 0) difference = current + extra;
  }
}

/** Converts a time of the wall clock. If the wall clock has reached it, so has the monotonic clock. */
export function monotonicOf(wall: number): number {
  updateDifference();
  return wall - difference;
}

/** Converts a time of the monotonic clock, to whole milliseconds since the Unix epoch. */
export function wallOf(monotonic: number): number {
  updateDifference();
  return Math.floor(monotonic + difference);
}

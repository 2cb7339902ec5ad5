/**
 * The source of time for the whole package.
 *
 * It looks up the globals at each use, so fake timers that replace them (vitest, sinon) work. Fake
 * timers that replace only some of them (`node:test` does not replace `performance`) need
 * `followTimers` from `eightysix/testing`.
 */

/** The source of a context's time and timers. All times and durations are in milliseconds. */
export interface Clock {
  /** Returns the monotonic time. Only differences between two such times have a meaning. */
  now(): number;
  /** Returns the wall-clock time, in milliseconds since the Unix epoch. */
  wall(): number;
  /**
   * Calls `fn` once after about `ms` milliseconds (0 to 2³¹−1). Returns a function that clears the
   * timer. `keepAlive` says whether the timer alone keeps the process running.
   */
  setTimer(fn: () => void, ms: number, keepAlive: boolean): () => void;
}

/**
 * The globals of every JavaScript platform, declared here so that no platform's types are needed.
 */
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

/** Replaces the clock of the whole package and returns the previous one. */
export function swapClock(next: Clock): Clock {
  const previous = clock;
  clock = next;
  difference = Number.NaN;
  return previous;
}

/** Returns the monotonic time, in milliseconds. */
export function now(): number {
  return clock.now();
}

/**
 * The longest delay of a platform timer, in milliseconds. A timer with a longer delay fires at
 * once.
 */
const LONGEST = 2 ** 31 - 1;

/**
 * Calls `fn` when the monotonic clock has reached `at`, and never earlier. Returns a function that
 * clears the timer. Platform timers round down and overflow, so the clock is read when one fires.
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
/**
 * How far two readings of the difference may lie apart, in milliseconds, before the clock counts as
 * set.
 */
export const JITTER = 2 * LAG;
/** More than the rounding error of a difference between the clocks, in milliseconds. */
const ROUNDING = 0.01;
/** How often both clocks are read until there is no pause between the readings. */
const MOST_READINGS = 10;

/**
 * The latched difference between the wall clock and the monotonic clock, in milliseconds.
 *
 * It is latched because equal wall-clock deadlines must share one monotonic value. Otherwise the
 * jitter between the two clocks would decide which of two equal deadlines came first.
 *
 * It is never less than the difference that the clocks show, so that no deadline is later than the
 * wall clock says. If the monotonic clock shows fractions, the difference can be up to `LAG`
 * greater a moment later, so `LAG` is added when the difference is latched. A fake clock counts
 * whole milliseconds and is exact.
 */
let difference = Number.NaN;

/** Latches a new difference if the wall clock has been set (or faked). */
function updateDifference(): void {
  // Tries again, because a pause between the readings of the two clocks looks like a set clock.
  for (let i = 1; ; i++) {
    // In this order, so that a pause makes the difference greater, and no deadline late.
    const monotonic = clock.now();
    const wall = clock.wall();
    const extra = Number.isInteger(monotonic) ? 0 : LAG;
    const current = wall - monotonic + extra * ROUNDING;
    if (current <= difference && difference - current < JITTER + ROUNDING) return;
    if (clock.now() - monotonic <= ROUNDING || i === MOST_READINGS) {
      difference = current + extra;
      return;
    }
  }
}

/**
 * Converts a wall-clock time to a monotonic time. If the wall clock has reached it, so has the
 * monotonic clock.
 */
export function monotonicOf(wall: number): number {
  updateDifference();
  return wall - difference;
}

/** Converts a monotonic time to whole milliseconds since the Unix epoch. */
export function wallOf(monotonic: number): number {
  updateDifference();
  return Math.floor(monotonic + difference);
}

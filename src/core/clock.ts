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

// Equal wall-clock deadlines must share one monotonic value, or which of two equal deadlines came
// first would be decided by the jitter between two clocks. So the difference between the clocks is
// kept until the wall clock has really been set (or faked): until they disagree by more than a tick.
const TICK = 2;
let difference = Number.NaN;

function wallMinusMonotonic(): number {
  const current = clock.wall() - clock.now();
  if (!(Math.abs(current - difference) < TICK)) difference = current;
  return difference;
}

export function monotonicOf(wall: number): number {
  return wall - wallMinusMonotonic();
}

export function wallOf(monotonic: number): number {
  return Math.round(monotonic + wallMinusMonotonic());
}

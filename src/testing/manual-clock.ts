import type { Clock } from "../core/clock.ts";
import { poll, turn } from "./real-time.ts";

/** How long `run` waits for something to happen when no timer is set, in milliseconds of real time. */
export const STUCK_AFTER = 1_000;

/**
 * A clock that stands still until the test moves it. Pass it to `useClock`.
 *
 * `advance` moves it at once. If the code under test sets its next timer behind an `await`, as a loop
 * of `sleep` does, use `advanceAsync`. `run` moves it by itself, from timer to timer.
 */
export class ManualClock implements Clock {
  #now = 0;
  #wall: number;
  #timers = new Set<{ at: number; fn: () => void }>();

  /** `wall` is the first time of the wall clock, in milliseconds since the Unix epoch. */
  constructor(wall = Date.UTC(2020, 0, 1)) {
    this.#wall = wall;
  }

  now(): number {
    return this.#now;
  }

  wall(): number {
    return this.#wall + this.#now;
  }

  /** Sets the wall clock, as an administrator does. No deadline moves. */
  setWall(wall: number): void {
    this.#wall = wall - this.#now;
  }

  setTimer(fn: () => void, ms: number): () => void {
    const timer = { at: this.#now + ms, fn };
    this.#timers.add(timer);
    return () => this.#timers.delete(timer);
  }

  /** The number of timers that are set. */
  get timers(): number {
    return this.#timers.size;
  }

  /** Moves the clock by `ms` milliseconds and fires each timer that falls due, at its own time. */
  advance(ms: number): void {
    const until = this.#now + ms;
    while (this.#fireNext(until));
    this.#now = until;
  }

  /**
   * Works like `advance`, and gives the code under test one turn of the event loop before each timer and
   * at the end. So timers that this code sets behind an `await` fire as well. Real I/O may take more than
   * a turn.
   */
  async advanceAsync(ms: number): Promise<void> {
    const until = this.#now + ms;
    do await turn();
    while (this.#fireNext(until));
    this.#now = Math.max(this.#now, until);
    await turn();
  }

  /**
   * Runs `fn`, and settles as it does. While `fn` runs, the clock moves to the next timer whenever a turn
   * of the event loop has passed. So `fn` takes no real time for its timers, as in Go's `synctest` or
   * under Trio's `autojump_clock`. Do not use it for code that waits for real I/O, because that takes more
   * than a turn, and the clock would not wait for it.
   *
   * Rejects if `fn` waits for a second of real time while no timer is set.
   *
   * @example
   * const clock = new ManualClock();
   * using _ = useClock(clock);
   * await clock.run(() => sleep(ctx, 3_600_000)); // at once
   * expect(clock.now()).toBe(3_600_000);
   */
  async run<T>(fn: () => T | PromiseLike<T>): Promise<T> {
    let isSettled = false;
    const settle = (): void => void (isSettled = true);
    const result = (async () => await fn())();
    result.then(settle, settle);
    do {
      await turn();
      if (isSettled) return await result;
    } while (this.advanceToNext() || (await poll(() => isSettled || this.timers > 0, STUCK_AFTER)));
    throw new Error(
      `ManualClock.run: fn has waited for ${STUCK_AFTER} ms of real time, and no timer of the clock is set; fn waits for something that this clock does not control`,
    );
  }

  /** Moves the clock to its next timer and fires that. Returns false if no timer is set. */
  advanceToNext(): boolean {
    return this.#fireNext(Infinity);
  }

  /** Fires the timer that is due first, if it is due by `until`, at its own time. */
  #fireNext(until: number): boolean {
    let next: { at: number; fn: () => void } | undefined;
    for (const timer of this.#timers) {
      if (timer.at <= until && (next === undefined || timer.at < next.at)) next = timer;
    }
    if (next === undefined) return false;
    this.#timers.delete(next);
    this.#now = Math.max(this.#now, next.at);
    next.fn();
    return true;
  }

  /** Moves the clock by `ms` milliseconds and fires no timer, as in a blocked event loop. */
  block(ms: number): void {
    this.#now += ms;
  }
}

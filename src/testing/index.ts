/// <reference lib="esnext.disposable" preserve="true" />
/**
 * Time for tests.
 *
 * Fake timers that replace `performance`, `Date` and `setTimeout` (vitest, sinon) need nothing
 * from here. `node:test` leaves `performance` alone: give contexts a clock with `useClock`.
 *
 * @packageDocumentation
 */
import { swapClock, type Clock } from "../core/clock.ts";

export type { Clock } from "../core/clock.ts";

/**
 * Makes every context take its time from `clock`, until the returned object is disposed of.
 * Contexts that exist already keep their deadlines as instants of the old clock.
 */
export function useClock(clock: Clock): Disposable {
  const previous = swapClock(clock);
  return {
    [Symbol.dispose]() {
      swapClock(previous);
    },
  };
}

/** A clock that stands still until it is told to go on. */
export class ManualClock implements Clock {
  #now = 0;
  #wall: number;
  #timers = new Set<{ at: number; fn: () => void }>();

  /** `wall` is the wall-clock time to begin with, in milliseconds since the epoch. */
  constructor(wall = Date.UTC(2020, 0, 1)) {
    this.#wall = wall;
  }

  now(): number {
    return this.#now;
  }

  wall(): number {
    return this.#wall + this.#now;
  }

  /** Sets the wall clock, as an administrator would: no deadline moves. */
  setWall(wall: number): void {
    this.#wall = wall - this.#now;
  }

  setTimer(fn: () => void, ms: number): () => void {
    const timer = { at: this.#now + ms, fn };
    this.#timers.add(timer);
    return () => this.#timers.delete(timer);
  }

  /** How many timers are set. */
  get timers(): number {
    return this.#timers.size;
  }

  /** Goes on by `ms` milliseconds and fires what falls due, each at its own time. */
  advance(ms: number): void {
    const until = this.#now + ms;
    for (;;) {
      const due = [...this.#timers]
        .filter((timer) => timer.at <= until)
        .sort((a, b) => a.at - b.at)[0];
      if (due === undefined) break;
      this.#timers.delete(due);
      this.#now = Math.max(this.#now, due.at);
      due.fn();
    }
    this.#now = until;
  }

  /** Goes on by `ms` milliseconds and fires nothing, as when the event loop is blocked. */
  block(ms: number): void {
    this.#now += ms;
  }
}

import type { Clock } from "../core/clock.ts";

/** A clock that stands still until the test moves it. */
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

  /** Moves the clock by `ms` milliseconds and fires no timer, as in a blocked event loop. */
  block(ms: number): void {
    this.#now += ms;
  }
}

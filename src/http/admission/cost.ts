/** What a kind of work costs, learned from what it did, in milliseconds. */

/** So many pieces of work count: a change is known for a fact after half of them. */
const WINDOW = 31;
/** With fewer, nothing is known: the first are slow (a connection, a compiler) and say little. */
const ENOUGH = 5;

/** What work that was cut short would have taken: longer, and nobody knows how much longer. */
const UNFINISHED = 2;

/** The share of the newest in `held`. */
const NEWEST = 1 / 8;

/**
 * Two figures, because two questions are asked. Whether one piece of work will be over in time: the
 * *median* says whether that is more likely than not, and one that took a minute changes nothing.
 * How soon a place becomes free: that is up to the *mean* of all that held one, whatever came of it.
 */
export class Cost {
  /** The newest `WINDOW` costs, in no order. */
  #costs: number[] = [];
  #next = 0;
  #median: number | undefined;
  #held = 0;

  /** Whatever was believed, it is `ms`, until as much again has been learned. */
  believe(ms: number): void {
    this.#costs = Array<number>(ENOUGH).fill(ms);
    this.#next = ENOUGH;
    this.#median = ms;
  }

  /** `undefined` until enough is known. */
  get median(): number | undefined {
    return this.#median;
  }

  /** The mean time for which a place was held; 0 until one was. */
  get held(): number {
    return this.#held;
  }

  hold(ms: number): void {
    this.#held = this.#held === 0 ? ms : this.#held + (ms - this.#held) * NEWEST;
  }

  /** Work took `ms` from its beginning to its own end. */
  whole(ms: number): void {
    this.#costs[this.#next] = ms;
    this.#next = (this.#next + 1) % WINDOW;
    const { length } = this.#costs;
    if (length >= ENOUGH) this.#median = [...this.#costs].sort((a, b) => a - b)[length >> 1];
  }

  /**
   * Work was stopped after `ms`, so it costs more. To a median only the side counts on which a
   * figure lies: of what had run for longer than that, it is known, and the rest says nothing. What
   * is begun has at least the median left, so a deadline always leaves it known: the fast, who are
   * not stopped, are not all that is seen of the work.
   */
  atLeast(ms: number): void {
    if (ms >= (this.#median ?? 0)) this.whole(ms * UNFINISHED);
  }
}

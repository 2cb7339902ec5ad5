/** What a kind of work costs, in milliseconds, learned from its runs. */

/** The number of runs that count. The median follows a change of the cost after half of them. */
const WINDOW = 31;

/**
 * With fewer runs, the cost is unknown, because the first runs are slow (a connection, a compiler).
 */
const ENOUGH = 5;

/** How many times as long a stopped run would have taken. The true figure cannot be known. */
const UNFINISHED = 2;

/** The weight of the newest run in `meanHold`. */
const NEWEST = 1 / 8;

/**
 * Keeps two figures, because the gate asks two questions:
 *
 * - Will this run finish in time? The *median* cost says whether that is more likely than not. One
 *   run that took a minute does not change it.
 * - How soon will a place be free? That depends on the *mean* time for which runs held their places,
 *   whether they succeeded or not.
 */
export class Cost {
  /** The costs of the newest `WINDOW` runs, in no order. */
  #costs: number[] = [];
  #next = 0;
  #median: number | undefined;
  #meanHold = 0;

  /** `undefined` until enough runs have finished. */
  get median(): number | undefined {
    return this.#median;
  }

  /** The mean time for which a run held its place. 0 until a run has done so. */
  get meanHold(): number {
    return this.#meanHold;
  }

  /** Replaces everything learned before with `ms`, which then weighs as much as `ENOUGH` runs. */
  replace(ms: number): void {
    this.#costs = Array<number>(ENOUGH).fill(ms);
    this.#next = ENOUGH;
    this.#median = ms;
  }

  /** Records that a run finished by itself after `ms`. */
  addFinished(ms: number): void {
    this.#costs[this.#next] = ms;
    this.#next = (this.#next + 1) % WINDOW;
    const { length } = this.#costs;
    if (length >= ENOUGH) this.#median = [...this.#costs].sort((a, b) => a - b)[length >> 1];
  }

  /**
   * Records that a run was stopped after `ms`, so its cost is more than that. For a median, only
   * the side on which a cost lies counts. If the run had reached the median, its cost lies above.
   * If it had not, its side is unknown, and the run does not count.
   *
   * A run starts only if its context has at least the median left. A run that its deadline stops
   * therefore always counts, and the fast runs, which finish, do not make the work look cheap.
   */
  addStopped(ms: number): void {
    if (ms >= (this.#median ?? 0)) this.addFinished(ms * UNFINISHED);
  }

  /** Records that a run held its place for `ms`, however it ended. */
  addHold(ms: number): void {
    if (this.#meanHold === 0) this.#meanHold = ms;
    else this.#meanHold += (ms - this.#meanHold) * NEWEST;
  }
}

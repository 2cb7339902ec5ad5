/** Counts the calls and the extra attempts of `hedge` in the last second, for `extraShare`. */
import { now } from "../core/clock.ts";
import { isDevelopment } from "../core/development.ts";
import { recordStack } from "../core/user-stack.ts";
import { warnOnce } from "../core/warn-once.ts";
import { userStack } from "../work/caller.ts";

/** The second is counted in this many slots, so that a count needs no list of times. */
const SLOTS = 10;
/** The length of a slot, in milliseconds. */
const SLOT = 1_000 / SLOTS;
/** Development mode warns if so many options objects have counts. No program has so many services. */
const TOO_MANY = 100;

export class RecentCalls {
  readonly #calls = new Array<number>(SLOTS).fill(0);
  readonly #extra = new Array<number>(SLOTS).fill(0);
  /** The number of the latest slot that was used. */
  #latest = -Infinity;

  addCall(): void {
    const slot = this.#slot();
    this.#calls[slot] = (this.#calls[slot] ?? 0) + 1;
  }

  /**
   * Counts an extra attempt and returns true, unless the extra attempts would then be more than
   * `share` of the calls.
   */
  tryExtra(share: number): boolean {
    const slot = this.#slot();
    if (sum(this.#extra) + 1 > share * sum(this.#calls)) return false;
    this.#extra[slot] = (this.#extra[slot] ?? 0) + 1;
    return true;
  }

  /** Returns the index of the slot of now. Empties the slots that are older than a second. */
  #slot(): number {
    const current = Math.floor(now() / SLOT);
    for (let old = Math.max(this.#latest, current - SLOTS) + 1; old <= current; old++)
      this.#calls[old % SLOTS] = this.#extra[old % SLOTS] = 0;
    this.#latest = current;
    return current % SLOTS;
  }
}

const sum = (counts: readonly number[]): number => counts.reduce((a, b) => a + b, 0);

/** The counts of each options object. */
const counts = new WeakMap<object, RecentCalls>();
let objects = 0;

/** Returns the counts that belong to an options object. */
export function recentCallsOf(options: object): RecentCalls {
  let recent = counts.get(options);
  if (recent === undefined) {
    counts.set(options, (recent = new RecentCalls()));
    if (++objects >= TOO_MANY && isDevelopment()) warnOfTooMany();
  }
  return recent;
}

function warnOfTooMany(): void {
  warnOnce(
    "EIGHTYSIX_HEDGE_OPTIONS",
    `hedge got ${TOO_MANY} options objects with extraShare; each object counts its own calls, so keep one object for each service, and pass it to every call`,
    userStack(recordStack()) ?? "",
  );
}

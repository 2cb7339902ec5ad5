/** `admission`: work that would not be over in time does not begin. */
import { needContext, needFunction, needOptions, show } from "../../adapter/misuse.ts";
import { Places } from "../../adapter/places.ts";
import { isContextError, remaining, startWork, throwIfDone, type Context } from "../../index.ts";
import { now } from "../../internal.ts";
import { Cost } from "./cost.ts";
import { OverloadedError } from "../request/causes.ts";
import { statusOf } from "../respond/status.ts";

export interface AdmissionOptions {
  /**
   * How many may run at once: as many as what they use really serves, as the connections of a pool.
   * The others wait, in the order in which they came. Default: all, and nobody waits.
   */
  concurrency?: number;
  /** How many may wait. Default: all whose time suffices. */
  maxQueue?: number;
  /** What the work costs in milliseconds, as far as known; learning begins with it. Default: nothing is known. */
  cost?: number;
  /** What is admitted, for the ledger and for logs, as "GET /report". */
  name?: string;
}

/** The door to one kind of work. */
export interface Admission {
  /**
   * Runs `fn(ctx)` when there is a place for it, and returns or throws what it does. Rejects with
   * `Overloaded`, at once if that can be foreseen and else when its turn has come, and `fn` is not
   * called, if `ctx` has less time left than the work and twice the wait are known to take, or too
   * many wait. Rejects with `ctx.err()` if `ctx` is done before `fn` begins.
   *
   * The place is held until the promise of `fn` has settled, so let `fn` heed its context. In the
   * ledger are "admission.wait" and then "admission.run".
   */
  run<T>(ctx: Context, fn: (ctx: Context) => T | PromiseLike<T>): Promise<T>;
  /** What the work takes, in milliseconds, as far as is known: the median of the newest. */
  readonly cost: number | undefined;
  readonly running: number;
  readonly waiting: number;
}

/**
 * A door for one kind of work, such as a route or a query: make it once, like a pool. It asks each
 * time, before the work begins: is there enough left of the context's time for what such work
 * costs? What it costs, it learns by itself.
 *
 * Known is nothing until five pieces of work have ended; then the median of the last 31. What was
 * stopped by its context counts as longer than it ran, and a failure says nothing. Where nothing
 * begins or ends, what is known fades: it is halved with each second (with each duration of the
 * work, if that is longer), until somebody's time suffices to try. What that one takes, if it ends
 * well, is believed in place of all before. So nothing that was ever believed keeps the door shut.
 *
 * A context without a deadline has time for everything: for those there are `concurrency` and
 * `maxQueue`. Throws a RangeError for options that are no numbers of their kind.
 */
export function admission(options: AdmissionOptions = {}): Admission {
  needOptions(options, "admission(options)");
  return new Gate(options);
}

/** Milliseconds in which what nobody could put to the test is halved; at least. */
const HALF_LIFE = 1_000;

/**
 * Who has not twice the time that the wait will take, as far as can be foreseen, is not let in to
 * wait. A queue that is as long as it may be serves everybody in the last moment, and then all is
 * late by the answer's way home. In overload a shorter one keeps the places just as busy.
 */
const RESERVE = 2;

/** Seconds. What will be after that, nobody knows. */
const LONGEST_RETRY = 60;

class Gate implements Admission {
  readonly #concurrency: number;
  readonly #maxQueue: number;
  readonly #name: string | undefined;
  readonly #places: Places;
  readonly #cost = new Cost();
  readonly #now = now;
  #running = 0;
  /** When work began or ended. */
  #tested = now();

  constructor({ concurrency = Infinity, maxQueue = Infinity, cost, name }: AdmissionOptions) {
    if (cost !== undefined && !(typeof cost === "number" && cost >= 0 && cost < Infinity)) {
      throw new RangeError(
        `cost is a finite number of milliseconds from 0 on, got ${show(cost)}; leave it out if it is not known`,
      );
    }
    this.#concurrency = count(concurrency, 1, "concurrency");
    this.#maxQueue = count(maxQueue, 0, "maxQueue");
    this.#name = name;
    this.#places = new Places(concurrency);
    if (cost !== undefined) this.#cost.believe(cost);
  }

  get cost(): number | undefined {
    return this.#cost.median;
  }

  get running(): number {
    return this.#running;
  }

  get waiting(): number {
    return this.#places.waiting;
  }

  async run<T>(ctx: Context, fn: (ctx: Context) => T | PromiseLike<T>): Promise<T> {
    needContext(ctx, "run(ctx, fn)");
    needFunction(fn, "run(ctx, fn)");
    throwIfDone(ctx);
    await this.#enter(ctx);
    this.#running++;
    const began = (this.#tested = this.#now());
    // Less than the unfaded figure: this one puts it to the test.
    const isTest = remaining(ctx) < (this.#cost.median ?? 0);
    const work = startWork(ctx, "admission.run", this.#name);
    try {
      const result = await fn(ctx);
      if (isCutShort(ctx)) this.#cost.atLeast(this.#now() - began);
      else if (isTest) this.#cost.believe(this.#now() - began);
      else this.#cost.whole(this.#now() - began);
      return result;
    } catch (error) {
      if (isCutShort(ctx) || isContextError(error)) this.#cost.atLeast(this.#now() - began);
      throw error;
    } finally {
      work.end();
      this.#tested = this.#now();
      this.#cost.hold(this.#tested - began);
      this.#running--;
      this.#places.give();
    }
  }

  /** Takes a place, or throws. */
  async #enter(ctx: Context): Promise<void> {
    if (this.#places.free > 0) {
      this.#check(ctx, 0);
      await this.#places.take(ctx);
      return;
    }
    const { waiting } = this.#places;
    if (waiting >= this.#maxQueue) throw this.#overloaded(`${waiting} are waiting`);
    this.#check(ctx, this.#wait());
    const work = startWork(ctx, "admission.wait", this.#name);
    try {
      await this.#places.take(ctx);
    } finally {
      work.end();
    }
    try {
      throwIfDone(ctx);
      this.#check(ctx, 0); // its turn has come, perhaps too late
    } catch (error) {
      this.#places.give();
      throw error;
    }
  }

  /** Throws `Overloaded` if `ctx` has no time for the work, which will begin in `wait` milliseconds. */
  #check(ctx: Context, wait: number): void {
    const left = remaining(ctx);
    const cost = this.#believed();
    if (left >= wait * RESERVE + cost) return;
    const first = wait > 0 ? `a wait of ${Math.round(wait)} ms, twice, and ` : "";
    const work = `work of ${Math.round(cost)} ms`;
    throw this.#overloaded(`${Math.round(left)} ms left for ${first}${work}`);
  }

  #overloaded(why: string): OverloadedError {
    const seconds = Math.min(Math.max(1, Math.ceil(this.#wait() / 1e3)), LONGEST_RETRY);
    return new OverloadedError(seconds, this.#name === undefined ? why : `${this.#name}, ${why}`);
  }

  /** Until the next place is free for somebody who comes now. */
  #wait(): number {
    if (this.#places.free > 0) return 0;
    return ((this.#places.waiting + 1) * this.#cost.held) / this.#concurrency;
  }

  #believed(): number {
    const { median = 0 } = this.#cost;
    const quiet = Math.max(0, this.#now() - this.#tested); // negative if the clock was replaced
    return median * 2 ** (-quiet / Math.max(HALF_LIFE, median));
  }
}

/** Whether its context ended the work; one that has sent its response is over by itself. */
const isCutShort = (ctx: Context): boolean => statusOf(ctx) !== 200;

function count(x: unknown, least: number, name: string): number {
  if (typeof x === "number" && x >= least && (Number.isInteger(x) || x === Infinity)) return x;
  throw new RangeError(
    `${name} is a whole number from ${least} on, or Infinity, got ${show(x)}; leave it out for no limit`,
  );
}

/** `admission`: refuses work that would probably miss its deadline, before the work starts. */
import { needContext, needFunction } from "../../adapter/misuse.ts";
import {
  isContextError,
  remaining,
  Semaphore,
  startWork,
  throwIfDone,
  type Context,
  type Permit,
} from "../../index.ts";
import { checkLimit, checkOptions, now, show } from "../../internal.ts";
import { OverloadedError } from "../request/causes.ts";
import { statusOf } from "../respond/status.ts";
import { Cost } from "./cost.ts";

export interface AdmissionOptions {
  /**
   * How many runs may be under way at once. Pass the number that the resource really serves at
   * once, such as the number of connections of a pool. Other callers wait in the order in which
   * they came. Default: no limit, and no caller waits.
   */
  concurrency?: number;
  /** How many callers may wait. Default: no limit. */
  maxQueue?: number;
  /** The cost of a run in milliseconds, if it is known before the first one. Learning starts from it. */
  cost?: number;
  /** The kind of work, for the ledger and for logs, such as "GET /report". */
  name?: string;
}

/** Decides which runs of one kind of work may start. */
export interface Admission {
  /**
   * Calls `fn(ctx)` when a place is free, and settles as `fn` does.
   *
   * Rejects with `OverloadedError`, without calling `fn`, if too many callers wait or if the
   * remaining time of `ctx` is too short. That time must cover the cost plus twice the predicted
   * wait. The gate checks this at once, and checks the cost again when the caller's turn comes.
   * Rejects with `ctx.err()` if `ctx` is done before `fn` starts.
   *
   * The run holds its place until the promise of `fn` settles, so `fn` should stop when its context
   * ends. The ledger shows the work "admission.wait" and then "admission.run".
   */
  run<T>(ctx: Context, fn: (ctx: Context) => T | PromiseLike<T>): Promise<T>;
  /** The learned cost in milliseconds: the median of the newest runs. `undefined` if it is unknown. */
  readonly cost: number | undefined;
  /** How many runs are under way. */
  readonly running: number;
  /** How many callers wait. */
  readonly waiting: number;
}

/**
 * Creates an admission gate for one kind of work, such as a route or a query. Create it once and
 * share it, like a connection pool.
 *
 * Before each run, the gate compares the remaining time of the context with the cost that it has
 * learned. If the time is too short, `run` rejects with `OverloadedError` and the work does not start.
 *
 * How the cost is learned:
 *
 * - The cost is unknown until five runs have finished. After that it is the median of the last 31.
 * - A run that its context stopped counts as longer than it ran, if it ran for at least the learned
 *   cost. A failed run does not count.
 * - While no run starts or finishes, the learned cost decays: it halves every second, or every `cost`
 *   milliseconds if that is longer. Eventually a caller has enough time to try. If that run succeeds,
 *   its duration replaces everything learned before. A wrong estimate therefore cannot keep the gate
 *   closed.
 *
 * A context without a deadline always has enough time. `concurrency` and `maxQueue` limit those
 * callers.
 *
 * Throws a TypeError if an option is unknown, or if `concurrency` or `maxQueue` is not a number, and
 * a RangeError if an option is not a number of its kind.
 *
 * @example
 * const reports = admission({ concurrency: 4, name: "GET /report" });
 * const rows = await reports.run(ctx, (ctx) => db.query(ctx, sql));
 */
export function admission(options: AdmissionOptions = {}): Admission {
  checkOptions(options, "admission(options)", ["concurrency", "maxQueue", "cost", "name"]);
  return new Gate(options);
}

/**
 * Milliseconds in which the learned cost halves while no run tests it. A cost that is longer than
 * this halves in a time as long as itself.
 */
const HALF_LIFE = 1_000;

/**
 * A caller may queue only if its remaining time covers the cost plus this many times the predicted
 * wait. With a queue of the greatest possible length, every caller would be served at its last
 * moment, and every response would arrive late. Under overload, a shorter queue keeps the places just
 * as busy.
 */
const RESERVE = 2;

/** The largest Retry-After, in seconds. Predictions beyond that are not reliable. */
const LONGEST_RETRY = 60;

class Gate implements Admission {
  readonly #concurrency: number;
  readonly #maxQueue: number;
  readonly #name: string | undefined;
  readonly #places: Semaphore;
  readonly #cost = new Cost();
  #running = 0;
  /** When a run last started or ended. */
  #lastActivity = now();

  constructor({ concurrency = Infinity, maxQueue = Infinity, cost, name }: AdmissionOptions) {
    if (cost !== undefined && !(typeof cost === "number" && cost >= 0 && cost < Infinity)) {
      throw new RangeError(
        `cost is a finite number of milliseconds from 0 on, got ${show(cost)}; leave it out if it is not known`,
      );
    }
    checkLimit(concurrency, "admission(options)", "concurrency");
    checkLimit(maxQueue, "admission(options)", "maxQueue", 0);
    this.#concurrency = concurrency;
    this.#maxQueue = maxQueue;
    this.#name = name;
    this.#places = new Semaphore(concurrency);
    if (cost !== undefined) this.#cost.replace(cost);
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
    const place = await this.#takePlace(ctx);
    this.#running++;
    const startedAt = (this.#lastActivity = now());
    const duration = (): number => now() - startedAt;
    // The run is a test if the learned cost would not have let it start, but the decayed cost did.
    const isTest = remaining(ctx) < (this.#cost.median ?? 0);
    const work = startWork(ctx, "admission.run", this.#name);
    try {
      const result = await fn(ctx);
      if (isCutShort(ctx)) this.#cost.addStopped(duration());
      else if (isTest) this.#cost.replace(duration());
      else this.#cost.addFinished(duration());
      return result;
    } catch (error) {
      if (isCutShort(ctx) || isContextError(error)) this.#cost.addStopped(duration());
      throw error;
    } finally {
      work.end();
      this.#cost.addHold(duration());
      this.#lastActivity = now();
      this.#running--;
      place.release();
    }
  }

  /** Takes a place, perhaps after a wait. Throws if the run may not start. */
  async #takePlace(ctx: Context): Promise<Permit> {
    if (this.#places.free > 0) {
      this.#checkTime(ctx, 0);
      return await this.#places.acquire(ctx);
    }
    const { waiting } = this.#places;
    if (waiting >= this.#maxQueue) throw this.#overloaded(`the queue is full (${waiting} waiting)`);
    this.#checkTime(ctx, this.#predictedWait());
    const work = startWork(ctx, "admission.wait", this.#name);
    let place: Permit;
    try {
      place = await this.#places.acquire(ctx);
    } finally {
      work.end();
    }
    try {
      throwIfDone(ctx);
      this.#checkTime(ctx, 0); // the wait may have been longer than predicted
      return place;
    } catch (error) {
      place.release();
      throw error;
    }
  }

  /** Throws an `OverloadedError` if `ctx` has too little time for a run that starts in `wait` milliseconds. */
  #checkTime(ctx: Context, wait: number): void {
    const left = remaining(ctx);
    const cost = this.#decayedCost();
    if (left >= wait * RESERVE + cost) return;
    const queue = wait > 0 ? `twice a wait of ${Math.round(wait)} ms and ` : "";
    const work = `work of ${Math.round(cost)} ms`;
    throw this.#overloaded(`${Math.round(left)} ms left for ${queue}${work}`);
  }

  #overloaded(why: string): OverloadedError {
    const seconds = Math.min(Math.max(1, Math.ceil(this.#predictedWait() / 1e3)), LONGEST_RETRY);
    return new OverloadedError(seconds, this.#name === undefined ? why : `${this.#name}: ${why}`);
  }

  /** Predicts the milliseconds until a caller that comes now would get a place. */
  #predictedWait(): number {
    if (this.#places.free > 0) return 0;
    return ((this.#places.waiting + 1) * this.#cost.meanHold) / this.#concurrency;
  }

  #decayedCost(): number {
    const { median = 0 } = this.#cost;
    const quiet = Math.max(0, now() - this.#lastActivity); // negative if the clock was replaced
    return median * 2 ** (-quiet / Math.max(HALF_LIFE, median));
  }
}

/**
 * Returns whether the context ended the run early. The end of a finished request does not count.
 */
const isCutShort = (ctx: Context): boolean => statusOf(ctx) !== 200;

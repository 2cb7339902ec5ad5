/** A limited number of tokens, which callers take in the order in which they asked. */
import { checkCount, checkFunction, checkLimit } from "../core/check.ts";
import type { Context } from "../core/context.ts";
import { throwIfDone } from "../core/context-state.ts";
import { withCancel } from "../core/derive.ts";
import { DISPOSE } from "../core/handle.ts";
import type { Task } from "./task.ts";
import { Waiter, WaitQueue } from "./wait-queue.ts";
import { runAndEnd } from "./within.ts";
import { checkCall } from "../work/wrong-context.ts";

/** The tokens of a `Semaphore` that a caller holds until it releases them. */
export interface Permit extends Disposable {
  /** Gives the tokens back. Does nothing if they were given back already. */
  release(): void;
  /** Works like `release()`, for `using`. */
  [Symbol.dispose](): void;
}

/**
 * Limits what runs at the same time. A semaphore has `size` tokens. A caller takes some of them,
 * waits if they are not free, and gives them back.
 *
 * First come, first served: while a caller waits, later ones wait behind it, even if their tokens
 * are free. So a caller that needs many tokens gets them.
 *
 * The constructor throws unless `size` is a whole number of at least 1, or Infinity for no limit.
 *
 * @example
 * const renders = new Semaphore(4);
 * const image = await renders.use(ctx, (ctx) => render(ctx, page));
 */
export class Semaphore {
  readonly #size: number;
  #free: number;
  readonly #queue = new WaitQueue<Permit>(() => this.#serve());
  readonly #giveBack = (weight: number): void => {
    this.#free += weight;
    this.#serve();
  };

  constructor(size: number) {
    checkLimit(size, "Semaphore", "its size");
    this.#size = this.#free = size;
  }

  /** The number of tokens that no caller holds. While a caller waits, they are kept for it. */
  get free(): number {
    return this.#free;
  }

  /** The number of callers in the queue. One whose `weight` exceeds the size is not in the queue. */
  get waiting(): number {
    return this.#queue.length;
  }

  /**
   * Takes `weight` tokens. Resolves when the caller has them. The caller must release them.
   *
   * Rejects with `ctx.err()` if `ctx` is done, or ends while the caller waits. The caller then holds
   * nothing, even if its tokens were granted at that moment. A `weight` that exceeds the size of the
   * semaphore waits until `ctx` ends, and hinders no other caller.
   *
   * Rejects with a TypeError or a RangeError unless `weight` is a whole number of at least 1.
   *
   * @example
   * using permit = await semaphore.acquire(ctx);
   * await work(ctx);
   */
  async acquire(ctx: Context, weight = 1): Promise<Permit> {
    // eslint-disable-next-line @typescript-eslint/unbound-method -- its frame is looked for
    checkCall(ctx, "Semaphore.acquire", Semaphore.prototype.acquire);
    checkWeight(weight, "Semaphore.acquire");
    throwIfDone(ctx);
    const permit = this.#take(weight);
    if (permit !== undefined) return permit;
    const granted = await this.#wait(ctx, weight);
    try {
      throwIfDone(ctx); // it may have ended since the tokens were granted
    } catch (error) {
      granted.release();
      throw error;
    }
    return granted;
  }

  /**
   * Takes `weight` tokens if they are free and no caller waits. Otherwise returns `undefined`.
   *
   * Throws a TypeError or a RangeError unless `weight` is a whole number of at least 1.
   */
  tryAcquire(weight = 1): Permit | undefined {
    checkWeight(weight, "Semaphore.tryAcquire");
    return this.#take(weight);
  }

  /**
   * Takes `weight` tokens, runs `fn` under a child of `ctx`, and gives the tokens back when `fn` has
   * ended. Settles as `fn` does. The child ends at that moment, too.
   *
   * Rejects as `acquire` does. If `ctx` ends before `fn` begins, `fn` never begins.
   */
  async use<T>(ctx: Context, fn: Task<T>, weight = 1): Promise<T> {
    // eslint-disable-next-line @typescript-eslint/unbound-method -- its frame is looked for
    checkCall(ctx, "Semaphore.use", Semaphore.prototype.use);
    checkFunction(fn, "Semaphore.use", "a function to run: (ctx) => …");
    checkWeight(weight, "Semaphore.use");
    const permit = await this.acquire(ctx, weight);
    try {
      throwIfDone(ctx);
      return await runAndEnd(withCancel(ctx), fn);
    } finally {
      permit.release();
    }
  }

  #take(weight: number): Permit | undefined {
    // The first caller may be in the queue although its deadline has passed.
    if (this.#queue.first !== undefined) this.#serve();
    if (this.#queue.first !== undefined || this.#free < weight) return undefined;
    this.#free -= weight;
    return new Tokens(this.#giveBack, weight);
  }

  #wait(ctx: Context, weight: number): Promise<Permit> {
    return new Promise((resolve, reject) => {
      const waiter = new Waiter(this.#queue, ctx, weight, resolve, reject);
      if (weight > this.#size) return;
      this.#queue.append(waiter);
      this.#serve(); // the context of a foreign class may have released tokens in the meantime
    });
  }

  /** Grants tokens to the callers at the head of the queue, as far as there are enough. */
  #serve(): void {
    for (let head = this.#queue.first; head !== undefined; head = this.#queue.first) {
      // `leaveIfDone` may run code of a foreign context, which may serve the head itself.
      if (head.leaveIfDone() || head !== this.#queue.first) continue;
      if (this.#free < head.weight) return;
      this.#free -= head.weight;
      head.grant(new Tokens(this.#giveBack, head.weight));
    }
  }
}

class Tokens implements Permit {
  readonly #giveBack: (weight: number) => void;
  #weight: number;

  constructor(giveBack: (weight: number) => void, weight: number) {
    this.#giveBack = giveBack;
    this.#weight = weight;
  }

  release(): void {
    // For example in `socket.on("close", permit.release)`.
    if (!(this instanceof Tokens)) {
      throw new TypeError("release() was called without its permit; pass () => permit.release()");
    }
    const weight = this.#weight;
    this.#weight = 0;
    if (weight > 0) this.#giveBack(weight);
  }

  [DISPOSE](): void {
    this.release();
  }
}

function checkWeight(weight: unknown, caller: string): void {
  checkCount(weight, caller, "its weight", "leave it out for 1");
}

/** A limited number of places, which callers take in the order in which they asked. */
import { afterFunc, throwIfDone, type Context } from "../index.ts";
import { explainWait } from "./held-connection.ts";

interface Waiter {
  /** Returns false if the waiter's context has ended, so that it no longer waits. */
  unregister(): boolean;
  resolve(): void;
}

export class Places {
  readonly #waiting = new Set<Waiter>();
  #free: number;

  constructor(count: number) {
    this.#free = count;
  }

  /** The number of places that can be taken without a wait. */
  get free(): number {
    return this.#free;
  }

  /** The number of callers that wait for a place. */
  get waiting(): number {
    return this.#waiting.size;
  }

  /**
   * Takes a place. Resolves when the caller has the place. The caller must `give` it back. Rejects
   * with `ctx.err()` as soon as `ctx` ends. The caller then has no place.
   */
  async take(ctx: Context): Promise<void> {
    throwIfDone(ctx);
    if (this.#free > 0) {
      this.#free--;
      return;
    }
    try {
      await this.#wait(ctx);
    } catch (error) {
      explainWait(this, ctx);
      throw error;
    }
  }

  #wait(ctx: Context): Promise<void> {
    return new Promise((resolve, reject) => {
      const unregister = afterFunc(ctx, (err) => {
        this.#waiting.delete(waiter);
        reject(err);
      });
      const waiter: Waiter = { unregister, resolve };
      this.#waiting.add(waiter);
    });
  }

  /** Gives a place back. If callers wait, the one that has waited longest gets the place. */
  give(): void {
    for (const waiter of this.#waiting) {
      this.#waiting.delete(waiter);
      if (!waiter.unregister()) continue;
      waiter.resolve();
      return;
    }
    this.#free++;
  }
}

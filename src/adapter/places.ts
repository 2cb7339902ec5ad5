/** A bounded number of places, taken in the order in which they were asked for. */
import { afterFunc, throwIfDone, type Context } from "../index.ts";

interface Waiter {
  /** False if the waiter's context is done, and it is leaving. */
  stop(): boolean;
  resolve(): void;
}

export class Places {
  readonly #waiting = new Set<Waiter>();
  #free: number;

  constructor(count: number) {
    this.#free = count;
  }

  /** How many can be taken at once. */
  get free(): number {
    return this.#free;
  }

  /** How many wait for one. */
  get waiting(): number {
    return this.#waiting.size;
  }

  /**
   * Resolves when a place is the caller's, who must `give` it back. Rejects with `ctx.err()` as
   * soon as `ctx` is done; then nothing was taken.
   */
  async take(ctx: Context): Promise<void> {
    throwIfDone(ctx);
    if (this.#free > 0) {
      this.#free--;
      return;
    }
    await new Promise<void>((resolve, reject) => {
      const leave = afterFunc(ctx, (err) => {
        this.#waiting.delete(waiter);
        reject(err);
      });
      const waiter: Waiter = { stop: leave, resolve };
      this.#waiting.add(waiter);
    });
  }

  /** Hands a place to whoever has waited longest. */
  give(): void {
    for (const waiter of this.#waiting) {
      this.#waiting.delete(waiter);
      if (!waiter.stop()) continue;
      waiter.resolve();
      return;
    }
    this.#free++;
  }
}

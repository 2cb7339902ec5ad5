/** What everything is about: something that serves one at a time, 10 ms each, in the order of asking. */
import { afterFunc, sleep, throwIfDone, type Context } from "eightysix";

/** Milliseconds for which each is served. */
export const COST = 10;

interface Waiter {
  stop(): boolean;
  start(): void;
}

/**
 * Held by a timer, and so it takes no processor from those who are measured. Who is served when the
 * context ends leaves at once, as one who waits does: no cancellation could free it sooner.
 */
export class Resource {
  readonly #waiting = new Set<Waiter>();
  #busy = false;
  readonly #held = new Map<string, number>();
  #current: { id: string; since: number } | undefined;

  /** Serves `id`; not if `starts` throws when its turn has come. */
  async use(ctx: Context, id: string, starts = (): void => undefined): Promise<void> {
    throwIfDone(ctx);
    if (this.#busy) await this.#turn(ctx);
    this.#busy = true;
    try {
      starts();
      this.#current = { id, since: performance.now() };
      await sleep(ctx, COST);
    } finally {
      this.#settle();
      this.#next();
    }
  }

  /** For how many milliseconds each was served so far. */
  held(): Record<string, number> {
    const current = this.#current;
    this.#settle();
    if (current !== undefined) this.#current = { id: current.id, since: performance.now() };
    return Object.fromEntries(this.#held);
  }

  #settle(): void {
    if (this.#current === undefined) return;
    const { id, since } = this.#current;
    this.#held.set(id, (this.#held.get(id) ?? 0) + performance.now() - since);
    this.#current = undefined;
  }

  #turn(ctx: Context): Promise<void> {
    return new Promise((resolve, reject) => {
      const stop = afterFunc(ctx, (err) => {
        this.#waiting.delete(waiter);
        reject(err);
      });
      const waiter = { stop, start: resolve };
      this.#waiting.add(waiter);
    });
  }

  #next(): void {
    this.#busy = false;
    for (const waiter of this.#waiting) {
      this.#waiting.delete(waiter);
      if (!waiter.stop()) continue;
      this.#busy = true;
      waiter.start();
      return;
    }
  }
}

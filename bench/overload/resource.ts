/** The resource under load: it serves one request at a time, 10 ms each, in order of arrival. */
import { afterFunc, sleep, throwIfDone, type Context } from "eightysix";

/** Milliseconds that the resource needs for one request. */
export const COST = 10;

interface Waiter {
  stop(): boolean;
  start(): void;
}

/**
 * The resource is a timer, so that it takes no CPU time from the processes that are measured. A
 * request whose context ends leaves at once, whether it waits or is served. No cancellation could
 * free the resource sooner.
 */
export class Resource {
  readonly #waiting = new Set<Waiter>();
  #busy = false;
  readonly #held = new Map<string, number>();
  #current: { id: string; since: number } | undefined;

  /** Serves `id`. Calls `starts` when its turn comes, and does not serve it if that throws. */
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

  /** Returns for how many milliseconds each id has been served so far. */
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

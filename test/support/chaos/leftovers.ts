/** What a run leaves behind: timers, contexts, and uncaught errors. */
import { createHook } from "node:async_hooks";
import { setImmediate as turn } from "node:timers/promises";

const EVENTS = ["unhandledRejection", "uncaughtException", "warning"] as const;

/** Collects the errors and warnings that reach the process. */
export class Escaped implements Disposable {
  readonly errors: unknown[] = [];
  readonly #add = (error: unknown): void => void this.errors.push(error);

  constructor() {
    for (const event of EVENTS) process.on(event, this.#add);
  }

  [Symbol.dispose](): void {
    for (const event of EVENTS) process.off(event, this.#add);
  }
}

/**
 * The timers that were created since and are still armed. `process.getActiveResourcesInfo` leaves out
 * timers that do not keep the process alive, such as the deadline of a context.
 */
export class Timers implements Disposable {
  #made: Timer[] = [];
  readonly #hook = createHook({
    init: (_id, type, _trigger, resource) => {
      if (type === "Timeout") this.#made.push(resource as Timer);
      if (this.#made.length % 10_000 === 0) this.forget();
    },
  }).enable();

  /** Forgets timers that have fired or were cleared. */
  forget(): void {
    this.#made = this.#made.filter((timer) => !timer._destroyed);
  }

  /**
   * Waits for 300 ms at most until no timer is armed, and returns the milliseconds and the callback of
   * each remaining one. A longer wait would miss timers that were not cleared, because they fire. The
   * wait uses no timer, because that would add one.
   */
  async left(): Promise<string[]> {
    const limit = performance.now() + 300;
    for (let i = 0; i < 50 || performance.now() < limit; i++) {
      if (this.#remaining.length === 0) break;
      await turn();
    }
    return this.#remaining.map((timer) => `${timer._idleTimeout} ms: ${String(timer._onTimeout)}`);
  }

  get #remaining(): Timer[] {
    this.forget();
    // The test runner has a timer of a minute for its own messages. Node has one of a second for the
    // text of its `Date` header.
    return this.#made.filter(
      ({ _idleTimeout: ms, _onTimeout: fn }) =>
        ms < 60_000 && !(typeof fn === "function" && fn.name === "resetCache"),
    );
  }

  [Symbol.dispose](): void {
    this.#hook.disable();
  }
}

interface Timer {
  /** Whether the timer was cleared or has fired. */
  readonly _destroyed: boolean;
  readonly _idleTimeout: number;
  readonly _onTimeout: unknown;
}

/** Objects that must be collectable after their request. */
export class Collectable {
  #count = 0;
  readonly #registry = new FinalizationRegistry<void>(() => this.#count--);

  add(object: object): void {
    this.#count++;
    this.#registry.register(object);
  }

  /** How many objects have not been collected. */
  get count(): number {
    return this.#count;
  }
}

/** Collects garbage until `isEnough`, at most a hundred times. Returns the bytes of heap in use. */
export async function collectGarbage(isEnough: () => boolean): Promise<number> {
  for (let i = 0; i < 100; i++) {
    await turn();
    globalThis.gc?.();
    await turn(); // the registries are called in this turn
    if (i > 3 && isEnough()) break;
  }
  return process.memoryUsage().heapUsed;
}

/** What is left when all is over: timers, contexts, and errors that nobody caught. */
import { createHook } from "node:async_hooks";
import { setImmediate as turn } from "node:timers/promises";

const EVENTS = ["unhandledRejection", "uncaughtException", "warning"] as const;

/** Collects what would be reported to the process. */
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
 * The timers that were made since and are still armed. `process.getActiveResourcesInfo` would not
 * do: it leaves out those that keep no process alive, such as a context's deadline.
 */
export class Timers implements Disposable {
  #made: Timer[] = [];
  readonly #hook = createHook({
    init: (_id, type, _trigger, resource) => {
      if (type === "Timeout") this.#made.push(resource as Timer);
      if (this.#made.length % 10_000 === 0) this.forget();
    },
  }).enable();

  /** Lets go of those that are over. */
  forget(): void {
    this.#made = this.#made.filter((timer) => !timer._destroyed);
  }

  /**
   * Those that are left when there are none, or not at once: of each the milliseconds and the
   * callback. A timer that nobody clears would be gone as well if one waited for longer than it
   * takes. To wait for them with a timer would add one.
   */
  async left(): Promise<string[]> {
    const limit = performance.now() + 300;
    for (let i = 0; i < 50 || performance.now() < limit; i++) {
      if (this.#ours.length === 0) break;
      await turn();
    }
    return this.#ours.map((timer) => `${timer._idleTimeout} ms: ${String(timer._onTimeout)}`);
  }

  get #ours(): Timer[] {
    this.forget();
    // The test runner waits for a minute until it is answered; Node keeps the text of its `Date`
    // header for a second.
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
  /** Cleared, or over. */
  readonly _destroyed: boolean;
  readonly _idleTimeout: number;
  readonly _onTimeout: unknown;
}

/** Objects that nobody should hold for longer than their request takes. */
export class Collectable {
  #count = 0;
  readonly #registry = new FinalizationRegistry<void>(() => this.#count--);

  add(object: object): void {
    this.#count++;
    this.#registry.register(object);
  }

  /** How many are held still. */
  get count(): number {
    return this.#count;
  }
}

/** Bytes in use when all garbage is collected, or what was found after a hundred tries. */
export async function collectGarbage(isEnough: () => boolean): Promise<number> {
  for (let i = 0; i < 100; i++) {
    await turn();
    globalThis.gc?.();
    await turn(); // in which the registries are told
    if (i > 3 && isEnough()) break;
  }
  return process.memoryUsage().heapUsed;
}

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
  readonly #armed = new Map<number, object>();
  readonly #hook = createHook({
    init: (id, type, _trigger, resource) => {
      if (type === "Timeout") this.#armed.set(id, resource);
    },
    destroy: (id) => void this.#armed.delete(id),
  }).enable();

  /**
   * Those that are left when there are none, or not soon: the milliseconds and the callback of
   * each. Does not wait with a timer, which would count too.
   */
  async left(): Promise<string[]> {
    const limit = performance.now() + 10_000;
    while (this.#armed.size > 0 && performance.now() < limit) await turn();
    const all = [...this.#armed.values()] as { _idleTimeout: number; _onTimeout: unknown }[];
    return all.map((timer) => `${timer._idleTimeout} ms: ${String(timer._onTimeout)}`);
  }

  [Symbol.dispose](): void {
    this.#hook.disable();
  }
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

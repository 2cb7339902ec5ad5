import { CanceledError, type Context, type ContextError, type Key } from "../../src/index.ts";

/** Returns a context that is no handle of this package, and passes everything on to `inner`. */
export function foreignContext(inner: Context): Context {
  return {
    deadline: () => inner.deadline(),
    get signal() {
      return inner.signal;
    },
    err: () => inner.err(),
    value: (key) => inner.value(key),
  };
}

/** Counts the listeners on `signal` from now on, except those that the signal removes itself (`once`). */
export function countListeners(signal: AbortSignal): { readonly count: number } {
  const counter = { count: 0 };
  const add = signal.addEventListener.bind(signal);
  const remove = signal.removeEventListener.bind(signal);
  signal.addEventListener = (type: string, listener: () => void, options?: { once?: boolean }) => {
    if (options?.once !== true) counter.count++;
    add(type, listener, options);
  };
  signal.removeEventListener = (type: string, listener: () => void) => {
    counter.count--;
    remove(type, listener);
  };
  return counter;
}

/** What a broken member of a foreign context throws. */
export const broken = new Error("broken");

/**
 * A class of a program that implements `Context`. It has its own end, signal and deadline, and the
 * values of `parent`.
 */
export class Theirs implements Context {
  readonly controller = new AbortController();
  error: ContextError | undefined;
  date: Date | undefined;
  /** The member that throws `broken`. */
  breaks: "err" | "signal" | "value" | undefined;
  readonly counter = countListeners(this.controller.signal);
  readonly #parent: Context | undefined;

  constructor(parent?: Context) {
    this.#parent = parent;
  }

  /** How many listeners the signal has. */
  get listeners(): number {
    return this.counter.count;
  }

  deadline(): Date | undefined {
    return this.date;
  }

  get signal(): AbortSignal {
    if (this.breaks === "signal") throw broken;
    return this.controller.signal;
  }

  err(): ContextError | undefined {
    if (this.breaks === "err") throw broken;
    return this.error;
  }

  value<T, D>(key: Key<T, D>): T | D {
    if (this.breaks === "value") throw broken;
    return this.#parent === undefined ? key.default : this.#parent.value(key);
  }

  /** Ends the context. The first end stays. */
  end(error: ContextError = new CanceledError({ cause: "theirs" })): void {
    if (this.error !== undefined) return;
    this.error = error;
    this.controller.abort(error);
  }
}

/** A foreign context that has an `afterFunc`, as Go's optional interface. */
export class Offering extends Theirs {
  readonly registered = new Set<() => void>();

  afterFunc(fn: () => void): () => boolean {
    this.registered.add(fn);
    return () => this.registered.delete(fn);
  }

  override end(error?: ContextError): void {
    super.end(error);
    for (const fn of this.registered) fn();
    this.registered.clear();
  }
}

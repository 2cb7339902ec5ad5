/** A context that counts what is registered on it, for the test that nothing is left behind. */
import { getEventListeners, setMaxListeners } from "node:events";
import {
  afterFunc,
  withCancel,
  type CancelableContext,
  type Context,
  type Key,
} from "../../index.ts";

/**
 * A context of another class. eightysix calls its `afterFunc` for everything that watches it, so the
 * number of registrations shows without a look into the core.
 */
export class WatchedContext implements Context {
  readonly #inner: CancelableContext;
  readonly #controller = new AbortController();
  readonly #watches = new Set<object>();

  constructor(parent: Context) {
    this.#inner = withCancel(parent);
    setMaxListeners(0, this.#controller.signal); // the test reports what is too much
    afterFunc(this.#inner, (err) => this.#controller.abort(err));
  }

  /** How many callbacks and listeners are registered. */
  get watches(): number {
    return this.#watches.size + getEventListeners(this.#controller.signal, "abort").length;
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  deadline(): Date | undefined {
    return this.#inner.deadline();
  }

  err(): ReturnType<Context["err"]> {
    return this.#inner.err();
  }

  value<T, D>(key: Key<T, D>): T | D {
    return this.#inner.value(key);
  }

  cancel(): void {
    this.#inner.cancel();
  }

  afterFunc(fn: () => void): () => void {
    const watch = {};
    this.#watches.add(watch);
    const unregister = afterFunc(this.#inner, fn);
    return () => {
      this.#watches.delete(watch);
      unregister();
    };
  }
}

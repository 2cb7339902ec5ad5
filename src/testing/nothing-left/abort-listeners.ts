/** The listeners of a function on the signals of contexts. */
import { Handle } from "../../core/handle.ts";
import { recordStack } from "../../internal.ts";
import { builtin } from "./builtin.ts";
import { Found, type Leftover } from "./leftover.ts";
import type { TreeParts } from "./tree-parts.ts";

interface Listening {
  readonly signal: AbortSignal;
  readonly listener: unknown;
  readonly site: Error;
}

type Read = (this: Handle) => AbortSignal;

const active = new Set<AbortListeners>();
/** The signals that report their new listeners while a recorder is active. */
const reporting = new Set<AbortSignal>();
let original: PropertyDescriptor | undefined;

/**
 * Records the abort listeners on the signals of contexts that the function did not create. Only signals
 * that are read from their contexts in the meantime are seen.
 */
export class AbortListeners {
  readonly #isInside: () => boolean;
  readonly #tree: TreeParts;
  readonly #listening: Listening[] = [];

  constructor(isInside: () => boolean, tree: TreeParts) {
    this.#isInside = isInside;
    this.#tree = tree;
  }

  start(): void {
    active.add(this);
    if (original !== undefined) return;
    original = Object.getOwnPropertyDescriptor(Handle.prototype, "signal");
    // eslint-disable-next-line @typescript-eslint/unbound-method -- it is called with its handle
    const read = original?.get as Read;
    Object.defineProperty(Handle.prototype, "signal", {
      ...original,
      get(this: Handle): AbortSignal {
        const signal = read.call(this);
        if (this.scope !== undefined && !signal.aborted) report(signal, this);
        return signal;
      },
    });
  }

  stop(): void {
    active.delete(this);
    if (active.size > 0 || original === undefined) return;
    Object.defineProperty(Handle.prototype, "signal", original);
    original = undefined;
    for (const signal of reporting) Reflect.deleteProperty(signal, "addEventListener");
    reporting.clear();
  }

  leftovers(): Leftover[] {
    const events = builtin("node:events");
    return this.#listening
      .filter(
        ({ signal, listener }) =>
          !signal.aborted && events?.getEventListeners(signal, "abort").includes(listener) === true,
      )
      .map(
        ({ site }) =>
          new Found("listener", "an abort listener on the signal of a live context", site),
      );
  }

  add(signal: AbortSignal, listener: unknown, { scope }: Handle): void {
    if (!this.#isInside() || scope === undefined || this.#tree.has(scope)) return;
    const site = recordStack();
    // `fetch` keeps its listener until the garbage collector has seen that the request is gone.
    if (site.stack?.includes("node:internal/deps/undici") === true) return;
    this.#listening.push({ signal, listener, site });
  }
}

/** Lets `signal` report the listeners that are added from now on. */
function report(signal: AbortSignal, handle: Handle): void {
  if (reporting.has(signal)) return;
  reporting.add(signal);
  Object.defineProperty(signal, "addEventListener", {
    configurable: true,
    writable: true,
    value(this: AbortSignal, type: string, listener: unknown, ...rest: []): void {
      if (type === "abort") for (const each of active) each.add(signal, listener, handle);
      EventTarget.prototype.addEventListener.call(this, type, listener as () => void, ...rest);
    },
  });
}

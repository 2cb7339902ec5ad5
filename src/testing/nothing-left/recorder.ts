/** Records what is created from now on, and finds out what of it is still there. */
import { builtin } from "./builtin.ts";
import type { Leftover } from "./leftover.ts";
import { AbortListeners } from "./abort-listeners.ts";
import { Resources } from "./resources.ts";
import { TreeParts } from "./tree-parts.ts";

const AsyncLocalStorage = builtin("node:async_hooks")?.AsyncLocalStorage;
/** The recorders whose functions run in this chain of calls and awaits. */
const storage = AsyncLocalStorage && new AsyncLocalStorage<ReadonlySet<Recorder>>();

/** Records the contexts, listeners and resources of one function. */
export class Recorder {
  readonly #isInside: () => boolean;
  readonly #tree: TreeParts;
  readonly #listeners: AbortListeners;
  readonly #resources: Resources;
  #isRecording = false;

  /** If `everything`, records what any code of the process creates, and not only what `run` does. */
  constructor(everything = storage === undefined) {
    this.#isInside = () =>
      this.#isRecording && (everything || storage?.getStore()?.has(this) === true);
    this.#tree = new TreeParts(this.#isInside);
    this.#listeners = new AbortListeners(this.#isInside, this.#tree);
    this.#resources = new Resources(this.#isInside);
  }

  start(): void {
    this.#isRecording = true;
    this.#tree.start();
    this.#listeners.start();
    this.#resources.start();
  }

  /** Records nothing new from now on. What was recorded can still go away. */
  pause(): void {
    this.#isRecording = false;
  }

  stop(): void {
    this.#isRecording = false;
    this.#tree.stop();
    this.#listeners.stop();
    this.#resources.stop();
  }

  /** Runs `fn` so that what it creates is recorded. */
  run<T>(fn: () => T): T {
    if (storage === undefined) return fn();
    return storage.run(new Set([...(storage.getStore() ?? []), this]), fn);
  }

  /** Returns what is still there. */
  leftovers(): Leftover[] {
    return [
      ...this.#tree.leftovers(),
      ...this.#listeners.leftovers(),
      ...this.#resources.leftovers(),
    ];
  }
}

/** The contexts and the callbacks of a function. */
import {
  Callback,
  endOf,
  isWatched,
  observeTree,
  Scope,
  Watch,
  type Link,
} from "../../core/tree.ts";
import { recordStack } from "../../internal.ts";
import { Found, type Leftover } from "./leftover.ts";

const active = new Set<TreeParts>();

/**
 * Records the scopes and the callbacks that are created. A scope is left behind if something watches it
 * and it has not ended. A context that nothing watches leaves nothing behind.
 */
export class TreeParts {
  readonly #isInside: () => boolean;
  readonly #scopes = new Map<Scope, Error>();
  readonly #callbacks = new Map<Callback, Error>();

  constructor(isInside: () => boolean) {
    this.#isInside = isInside;
  }

  start(): void {
    active.add(this);
    observeTree((part) => {
      for (const parts of active) parts.#add(part);
    });
  }

  stop(): void {
    active.delete(this);
    if (active.size === 0) observeTree(undefined);
  }

  /** Returns whether `scope` was created by the function. */
  has(scope: Scope): boolean {
    return this.#scopes.has(scope);
  }

  leftovers(): Leftover[] {
    const scopes = [...this.#scopes]
      .filter(([scope]) => isLive(scope) && hasOwnWatcher(scope))
      .map(([scope, site]) => {
        return new Found("context", `a context that has not ended (${scope.describe()})`, site);
      });
    // A callback on a context of the function itself is left behind by that context.
    const callbacks = [...this.#callbacks]
      .filter(([{ host }]) => host !== undefined && isLive(host.scope) && !this.has(host.scope))
      .map(([, site]) => new Found("callback", "a callback for the end of a live context", site));
    return [...scopes, ...callbacks];
  }

  #add(part: Scope | Link): void {
    if (!this.#isInside()) return;
    if (part instanceof Scope) this.#scopes.set(part, recordStack());
    else if (part instanceof Callback) this.#callbacks.set(part, recordStack());
  }
}

function isLive(scope: Scope): boolean {
  return endOf(scope) === undefined;
}

/** Returns whether more than its children watches a scope: a signal, a callback, or another context. */
function hasOwnWatcher(scope: Scope): boolean {
  if (!isWatched(scope) || scope.watch === undefined) return false;
  const { controller, pinned, first } = scope.watch;
  if (controller !== undefined || pinned) return true;
  for (let link = first; link !== undefined; link = link.after) {
    if (!(link instanceof Watch)) return true;
  }
  return false;
}

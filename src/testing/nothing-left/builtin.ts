/** Modules of Node, looked up without an import, so that the entry point loads on every platform. */
import type * as asyncHooks from "node:async_hooks";

interface Builtins {
  "node:async_hooks": typeof asyncHooks;
  "node:events": { getEventListeners(target: EventTarget, name: string): readonly unknown[] };
}

/** Returns a module of Node, or `undefined` on a platform that does not have it. */
export function builtin<Id extends keyof Builtins>(id: Id): Builtins[Id] | undefined {
  const { process } = globalThis as {
    process?: { getBuiltinModule?: (id: string) => unknown };
  };
  return process?.getBuiltinModule?.(id) as Builtins[Id] | undefined;
}

/**
 * What can be observed goes out on `node:diagnostics_channel`. The module is looked up without an
 * import, so that the same file runs where there is none; without subscribers it costs a branch.
 */
import type { End } from "./end.ts";

interface Channel {
  readonly hasSubscribers: boolean;
  publish(message: unknown): void;
}

interface Builtins {
  process?: {
    getBuiltinModule?: (id: string) => { channel(name: string): Channel } | undefined;
  };
}

const silent: Channel = { hasSubscribers: false, publish: () => undefined };

/** The channel `eightysix:<name>`, or one that is never heard where the platform has none. */
export function channel(name: string): Channel {
  const { process } = globalThis as Builtins;
  const module = process?.getBuiltinModule?.("node:diagnostics_channel");
  return module?.channel(`eightysix:${name}`) ?? silent;
}

const done = channel("context.done");

/**
 * Publishes `{ kind, cause, error }` on `eightysix:context.done`, once for all that ended
 * together. In a microtask: subscribers are user code, and `err()` must never run any.
 */
export function announce(end: End): void {
  if (!done.hasSubscribers) return;
  void Promise.resolve().then(() => {
    done.publish({ kind: end.kind, cause: end.cause, error: end.error });
  });
}

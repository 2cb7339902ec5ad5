/**
 * The channels of `node:diagnostics_channel` on which this package publishes. The module is looked
 * up without an import, so that this file also runs on platforms that do not have it. A channel
 * without subscribers costs one branch.
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

/**
 * Returns the channel `eightysix:<name>`, or one without subscribers if the platform has no
 * channels.
 */
export function channel(name: string): Channel {
  const { process } = globalThis as Builtins;
  const module = process?.getBuiltinModule?.("node:diagnostics_channel");
  return module?.channel(`eightysix:${name}`) ?? silent;
}

const done = channel("context.done");

/**
 * Publishes `{ kind, cause, error }` on `eightysix:context.done`, once for all contexts that ended
 * together. It publishes in a microtask, because a subscriber is code of the program and `err()`
 * must not run any.
 */
export function announce(end: End): void {
  if (!done.hasSubscribers) return;
  void Promise.resolve().then(() => {
    done.publish({ kind: end.kind, cause: end.cause, error: end.error });
  });
}

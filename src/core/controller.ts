/** Creates AbortControllers whose signals accept any number of listeners. */

interface Builtins {
  process?: {
    getBuiltinModule?: (id: string) => Partial<Events> | undefined;
  };
}

interface Events {
  getMaxListeners(target: object): number;
  setMaxListeners(n: number, target: object): void;
}

/**
 * Removes the limit of listeners from a signal. Node 20 warns of a leak at the eleventh listener,
 * which a busy request has. Other platforms have no limit.
 */
let prepare = (controller: AbortController): void => {
  prepare = () => undefined;
  try {
    const { process } = globalThis as Builtins;
    const { getMaxListeners, setMaxListeners } = process?.getBuiltinModule?.("node:events") ?? {};
    if (setMaxListeners === undefined || !getMaxListeners?.(controller.signal)) return;
    prepare = ({ signal }) => {
      setMaxListeners(0, signal);
    };
    prepare(controller);
  } catch {
    // A platform that rejects a signal as a target has no limit for signals.
  }
};

/** Creates an AbortController without a limit of listeners. */
export function newController(): AbortController {
  const controller = new AbortController();
  prepare(controller);
  return controller;
}

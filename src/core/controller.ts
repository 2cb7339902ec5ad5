/** AbortControllers whose signals take any number of listeners, as contexts do. */

interface Builtins {
  process?: {
    getBuiltinModule?: (id: string) => Partial<Events> | undefined;
  };
}

interface Events {
  getMaxListeners(target: object): number;
  setMaxListeners(n: number, target: object): void;
}

/** Node 20 warns of a leak at the eleventh listener, which one busy request has. Others never do. */
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
    // A platform that does not know of limits for signals has none.
  }
};

export function newController(): AbortController {
  const controller = new AbortController();
  prepare(controller);
  return controller;
}

import type { Context } from "../../src/index.ts";

/** Returns a context that is no handle of this package, and behaves like `inner`. */
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

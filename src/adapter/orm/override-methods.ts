/**
 * Returns `target` with some of its methods replaced by those in `overrides`. Everything else is
 * the target's own: its properties, its events, `instanceof`.
 *
 * The result is a Proxy, not a subclass or a copy, because one is created for each request. Methods
 * run on the target itself, which may have private fields. A method that returns the target returns
 * the proxy.
 */
export function overrideMethods<T extends object>(
  target: T,
  overrides: Record<PropertyKey, unknown>,
): T {
  const proxy: T = new Proxy(target, {
    get(_, property) {
      if (Object.hasOwn(overrides, property)) return overrides[property];
      const value: unknown = Reflect.get(target, property, target);
      // Some functions are not methods: `constructor`, and a Pool's own property `Client`.
      if (typeof value !== "function" || property === "constructor") return value;
      if (Object.hasOwn(target, property)) return value;
      return (...args: unknown[]): unknown => {
        const result: unknown = Reflect.apply(value, target, args);
        return result === target ? proxy : result;
      };
    },
    set: (_, property, value) => Reflect.set(target, property, value, target),
  });
  return proxy;
}

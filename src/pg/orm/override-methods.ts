/**
 * The object itself, as `instanceof`, its properties and its events say, but for methods that are
 * replaced. A Proxy and no subclass or copy, because it is made for each request. Methods are
 * called on the object itself, which may have private fields.
 */
export function overrideMethods<T extends object>(target: T, own: Record<string, unknown>): T {
  const face: T = new Proxy(target, {
    get(_, property) {
      if (typeof property === "string" && Object.hasOwn(own, property)) return own[property];
      const value: unknown = Reflect.get(target, property, target);
      // What is a function and not a method: `constructor`, and such as the `Client` of a Pool.
      if (typeof value !== "function" || property === "constructor") return value;
      if (Object.hasOwn(target, property)) return value;
      return (...args: unknown[]): unknown => {
        const result: unknown = Reflect.apply(value, target, args);
        return result === target ? face : result;
      };
    },
    set: (_, property, value) => Reflect.set(target, property, value, target),
  });
  return face;
}

/** In development mode: calls of a pool or a connection that bypass its adapter. */
import { isDevelopment, reportWithoutContext, type AnyFunction } from "../internal.ts";

const watched = new WeakSet<object>();

/**
 * In development mode, reports calls of `methods` of `driver` that take no context while there is a
 * current one. `name` is that of the driver's package. The methods of this one object are replaced, and
 * pass everything on. Methods that cannot be replaced are left alone.
 */
export function reportDirectCalls(driver: object, name: string, methods: readonly string[]): void {
  if (!isDevelopment() || watched.has(driver)) return;
  watched.add(driver);
  const instead = `call the method with a context on what withContext of "eightysix/${name}" returns`;
  for (const method of methods) watch(driver, method, `${method} of ${name}`, instead);
}

function watch(driver: object, method: string, call: string, instead: string): void {
  const own = Object.getOwnPropertyDescriptor(driver, method);
  if (own === undefined ? !Object.isExtensible(driver) : !own.configurable || !("value" in own)) {
    return;
  }
  const find = (): unknown => {
    if (own !== undefined) return own.value;
    const prototype = Object.getPrototypeOf(driver) as object | null;
    return prototype === null ? undefined : Reflect.get(prototype, method, driver);
  };
  const original = find();
  if (typeof original !== "function") return;
  const apply = (_: unknown, self: unknown, args: never[]): unknown => {
    if (isDevelopment()) reportWithoutContext(call, instead, apply);
    return Reflect.apply(find() as AnyFunction, self, args);
  };
  Reflect.defineProperty(driver, method, {
    // A proxy, so that a mock still looks like one.
    ...{ value: new Proxy(original, { apply }), enumerable: own?.enumerable ?? false },
    ...{ writable: true, configurable: true },
  });
}

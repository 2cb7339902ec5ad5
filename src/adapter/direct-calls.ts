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
  const find = (): unknown =>
    own === undefined ? Reflect.get(Object.getPrototypeOf(driver) as object, method) : own.value;
  if (typeof find() !== "function") return;
  const replaced: AnyFunction = function (this: unknown, ...args) {
    if (isDevelopment()) reportWithoutContext(call, instead, replaced);
    return (find() as AnyFunction).apply(this, args);
  };
  Object.defineProperty(driver, method, {
    ...{ value: replaced, enumerable: own?.enumerable ?? false },
    ...{ writable: true, configurable: true },
  });
}

/** Returns a bound pool or connection in the form of the one that it was made from. */
import type { CoreConnection, CorePool } from "../driver.ts";

/** `proxy` stands for `core`, which is `driver` itself or lies beneath its promises. */
export function likeDriver<D extends object>(
  driver: D,
  core: CoreConnection | CorePool,
  proxy: CoreConnection | CorePool,
): D {
  if ((driver as object) === core) return proxy as unknown as D;
  const { Promise: promiseClass } = driver as { Promise?: PromiseConstructor };
  return proxy.promise(promiseClass) as D;
}

/** Reads a property of data that is not trusted. Returns `undefined` if a getter or a proxy throws. */
export function readProperty(x: object, name: string): unknown {
  try {
    return (x as Record<string, unknown>)[name];
  } catch {
    return undefined;
  }
}

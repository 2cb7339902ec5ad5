/**
 * Describes an argument in a few words, for messages. The description holds no data of objects and
 * no long string.
 */
export function show(x: unknown): string {
  if (x === null || x === undefined) return String(x);
  if (typeof x === "string") return x.length > 32 ? "a long string" : `the string "${x}"`;
  if (typeof x === "number" || typeof x === "boolean" || typeof x === "bigint") {
    return `${typeof x} ${String(x)}`;
  }
  const name = classOf(x);
  return name === undefined ? `a ${typeof x}` : `an object of class ${name}`;
}

/** Returns the name of the class of `x`, or `undefined` if `x` is not an object or has no class. */
export function classOf(x: unknown): string | undefined {
  try {
    if (typeof x !== "object" || x === null) return undefined;
    const { constructor } = x as { constructor?: { name?: unknown } };
    return typeof constructor?.name === "string" ? constructor.name : undefined;
  } catch {
    return undefined; // a getter or a proxy threw
  }
}

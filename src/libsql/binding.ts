/**
 * Returns what to pass to the driver as parameters, and their shape for the statement cache. The
 * driver takes an array or an object of named parameters. It takes any single value for an object,
 * and one `Uint8Array` aborts the process then. A boolean aborts the process in any position.
 */
export function bindParameters(params: readonly unknown[]): [shape: string, bound: unknown] {
  const [first] = params;
  const named = params.length === 1 && isRecord(first);
  for (const value of named ? Object.values(first) : params) {
    if (typeof value !== "boolean") continue;
    throw new TypeError("SQLite has no booleans: pass 0 or 1");
  }
  return named ? ["named", first] : [String(params.length), params];
}

function isRecord(x: unknown): x is Record<string, unknown> {
  if (typeof x !== "object" || x === null) return false;
  const prototype: unknown = Object.getPrototypeOf(x);
  return prototype === Object.prototype || prototype === null;
}

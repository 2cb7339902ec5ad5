/**
 * What the driver binds, an array or an object of named ones, and how many. Never a bare value,
 * which it would take for an object: one `Uint8Array`, or a boolean anywhere, aborts the process.
 */
export function binding(params: readonly unknown[]): [shape: string, bound: unknown] {
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

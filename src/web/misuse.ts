/** Refuses arguments that are not handlers, with a message that says what to write. */
import { show } from "../internal.ts";

/** Throws a TypeError unless `fn` is a function. */
export function checkHandler(fn: unknown): void {
  if (typeof fn === "function") return;
  const hint = isDriver(fn)
    ? `; a driver goes to withContext of its own adapter, such as "eightysix/pg"`
    : "";
  throw new TypeError(
    `handler of eightysix/web takes a function, got ${show(fn)}; write handler((ctx, request) => …, options)${hint}`,
  );
}

/** Returns whether `x` looks like a pool, a client or a connection. */
function isDriver(x: unknown): boolean {
  if (typeof x !== "object" || x === null) return false;
  const { query, connect, execute, command } = x as Record<string, unknown>;
  return [query, connect, execute, command].some((method) => typeof method === "function");
}

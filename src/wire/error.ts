/** Errors as plain data, for JSON, `structuredClone`, threads and other machines. */
import { CanceledError, DeadlineExceededError } from "../index.ts";
import { LONGEST_CHAIN, readProperty, show } from "../internal.ts";

/** An error and its chain of causes, as plain data. */
export interface WireError {
  name: string;
  message: string;
  code?: string | number;
  cause?: WireError | string | number | boolean | null;
}

/**
 * Returns an error and its causes as plain data. Only the name, message, code and cause of each are
 * in it, and no stack. Never throws.
 *
 * @example
 * worker.postMessage({ error: toWire(ctx.err()) });
 */
export function toWire(error: unknown): WireError {
  const wire = wireOf(error, LONGEST_CHAIN);
  return typeof wire === "object" && wire !== null
    ? wire
    : { name: "Error", message: String(wire) };
}

function wireOf(x: unknown, depth: number): NonNullable<WireError["cause"]> | null {
  if (isScalar(x)) return x;
  if (typeof x !== "object") return { name: "Error", message: show(x) };
  const name = readProperty(x, "name");
  const message = readProperty(x, "message");
  const code = readProperty(x, "code");
  const cause = readProperty(x, "cause");
  const wire: WireError = {
    name: typeof name === "string" ? name : "Error",
    message: typeof message === "string" ? message : "",
  };
  if (isCode(code)) wire.code = code;
  if (cause !== undefined && depth > 1) wire.cause = wireOf(cause, depth - 1);
  return wire;
}

/**
 * Returns the error that `toWire` turned into plain data. A context error is a context error again.
 * Any other error is an Error with the same name, message and code.
 *
 * It does not trust its argument: for any value it returns an error, and it never throws.
 *
 * @example
 * worker.on("message", ({ error }) => ctx.cancel(fromWire(error)));
 */
export function fromWire(wire: unknown): Error {
  const error = errorOf(wire, LONGEST_CHAIN);
  return error instanceof Error ? error : new Error(String(error));
}

function errorOf(wire: unknown, depth: number): unknown {
  if (isScalar(wire)) return wire;
  if (typeof wire !== "object") return null;
  const name = readProperty(wire, "name");
  const message = readProperty(wire, "message");
  const code = readProperty(wire, "code");
  const cause = readProperty(wire, "cause");
  const options =
    cause === undefined || depth <= 1 ? undefined : { cause: errorOf(cause, depth - 1) };
  if (code === "ERR_CONTEXT_CANCELED") return new CanceledError(options);
  if (code === "ERR_CONTEXT_DEADLINE_EXCEEDED") return new DeadlineExceededError(options);
  const error = new Error(typeof message === "string" ? message : "", options);
  const own = { configurable: true, writable: true };
  if (typeof name === "string") Object.defineProperty(error, "name", { ...own, value: name });
  if (isCode(code)) Object.assign(error, { code });
  return error;
}

/** Returns whether JSON keeps `x` as it is. JSON has no NaN and no Infinity. */
function isScalar(x: unknown): x is string | number | boolean | null {
  return x === null || typeof x === "boolean" || isCode(x);
}

function isCode(x: unknown): x is string | number {
  return typeof x === "string" || Number.isFinite(x);
}

/** Causes that survive JSON, structuredClone, threads and hops. */
import { CanceledError, DeadlineExceededError, LONGEST_CHAIN } from "./errors.ts";

/** An error and its chain of causes as plain data. */
export interface WireError {
  name: string;
  message: string;
  code?: string | number;
  cause?: WireError | string | number | boolean | null;
}

/** Plain data for an error and its causes. Stacks and other properties stay at home. */
export function toWire(error: unknown): WireError {
  return wireOf(error, LONGEST_CHAIN) as WireError;
}

function wireOf(x: unknown, depth: number): WireError["cause"] {
  if (x === null || typeof x === "string" || typeof x === "number" || typeof x === "boolean") {
    return depth === LONGEST_CHAIN ? { name: "Error", message: String(x) } : x;
  }
  const { name, message, code, cause } = Object(x) as Partial<Record<keyof WireError, unknown>>;
  const wire: WireError = {
    name: typeof name === "string" ? name : "Error",
    message: typeof message === "string" ? message : typeof x === "object" ? "" : String(x),
  };
  if (typeof code === "string" || typeof code === "number") wire.code = code;
  if (cause !== undefined && depth > 1)
    wire.cause = wireOf(cause, depth - 1) as NonNullable<WireError["cause"]>;
  return wire;
}

/**
 * The error that `toWire` described: context errors are context errors again, anything else an
 * Error with the same name, message and code. Believes nothing: whatever arrives, it returns an
 * error and never throws.
 */
export function fromWire(wire: unknown): Error {
  const error = errorOf(wire, LONGEST_CHAIN);
  return error instanceof Error ? error : new Error(String(error));
}

function errorOf(wire: unknown, depth: number): unknown {
  if (typeof wire !== "object" || wire === null)
    return typeof wire === "object" || typeof wire === "symbol" ? null : wire;
  const { name, message, code, cause } = wire as Record<string, unknown>;
  const options =
    cause === undefined || depth <= 1 ? undefined : { cause: errorOf(cause, depth - 1) };
  if (code === "ERR_CONTEXT_CANCELED") return new CanceledError(options);
  if (code === "ERR_CONTEXT_DEADLINE_EXCEEDED") return new DeadlineExceededError(options);
  const error = new Error(typeof message === "string" ? message : "", options);
  if (typeof name === "string")
    Object.defineProperty(error, "name", { value: name, configurable: true, writable: true });
  if (typeof code === "string" || typeof code === "number") Object.assign(error, { code });
  return error;
}

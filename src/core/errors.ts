/**
 * Why a context is done: *what* happened (canceled, deadline exceeded) is the class, *why* is the
 * `cause`. Recognised by brand and never by `instanceof`: two copies of the package can meet in
 * one process.
 */
import { now } from "./clock.ts";

const KIND: unique symbol = Symbol.for("eightysix.error") as never;

/** On every context error: the monotonic millisecond at which its context ended. */
export const ENDED_AT: unique symbol = Symbol.for("eightysix.endedAt") as never;

/**
 * What `ctx.err()` returns once the context is done, and what everything that was stopped rejects
 * with. `cause` is what was given to `cancel(cause)`, to a deadline's options, or by a signal.
 *
 * One error is shared by everything that ended together. It has no stack: that would be expensive
 * and name the wrong culprit. Development mode gives it the stack of whoever canceled.
 */
export abstract class ContextError extends Error {
  /** Stable, for code that would rather compare strings. */
  declare readonly code: "ERR_CONTEXT_CANCELED" | "ERR_CONTEXT_DEADLINE_EXCEEDED";
  declare readonly [KIND]: "canceled" | "deadline";
  readonly #endedAt: number;

  /** `endedAt` (monotonic milliseconds) defaults to now; those who implement `Context` need not give it. */
  constructor(options?: { cause?: unknown }, endedAt = now()) {
    super(undefined, options);
    this.#endedAt = endedAt;
  }

  /** `undefined` where nobody depended on the time: what is made of it ended when it is noticed. */
  get [ENDED_AT](): number | undefined {
    return this.#endedAt < 0 ? undefined : this.#endedAt;
  }
}

/** Somebody canceled: Go's `context.Canceled`. Its `name` is the platform's "AbortError". */
export class CanceledError extends ContextError {
  declare readonly code: "ERR_CONTEXT_CANCELED";
}

/** The deadline passed: Go's `context.DeadlineExceeded`. Its `name` is the platform's "TimeoutError". */
export class DeadlineExceededError extends ContextError {
  declare readonly code: "ERR_CONTEXT_DEADLINE_EXCEEDED";
  /** As Go's `Timeout()`, for code that asks any error whether it was a timeout. */
  declare readonly timeout: true;
}

// On the prototypes, not on each error: an error is made for every request that ends early, and
// own properties are most of what an error without a stack costs.
function describe(prototype: object, properties: Record<PropertyKey, unknown>): void {
  for (const key of Reflect.ownKeys(properties)) {
    const value = properties[key as string];
    Object.defineProperty(prototype, key, { value, writable: true, configurable: true });
  }
}
describe(CanceledError.prototype, {
  name: "AbortError",
  message: "context canceled",
  code: "ERR_CONTEXT_CANCELED",
  [KIND]: "canceled",
});
describe(DeadlineExceededError.prototype, {
  name: "TimeoutError",
  message: "context deadline exceeded",
  code: "ERR_CONTEXT_DEADLINE_EXCEEDED",
  timeout: true,
  [KIND]: "deadline",
});

/** V8's knob. Without a number there, an error is built in a third of the time. */
const knob = Error as unknown as { stackTraceLimit?: number | undefined };
const tunable = Object.getOwnPropertyDescriptor(Error, "stackTraceLimit")?.writable === true;

/** Builds the error of one cancellation, without a stack where the engine lets us. */
export function buildError(
  Class: typeof CanceledError | typeof DeadlineExceededError,
  cause: unknown,
  endedAt: number,
): ContextError {
  const limit = knob.stackTraceLimit;
  if (tunable) knob.stackTraceLimit = undefined;
  try {
    return new Class(cause === undefined ? undefined : { cause }, endedAt);
  } finally {
    if (tunable) knob.stackTraceLimit = limit;
  }
}

/** The most causes that are followed: a chain longer than this is a loop or an attack. */
export const LONGEST_CHAIN = 32;

/** The first context error in the chain of causes that starts with `error`, or `undefined`. */
export function findContextError(error: unknown): ContextError | undefined {
  let current = error;
  try {
    for (let i = 0; i < LONGEST_CHAIN; i++) {
      if (typeof current !== "object" || current === null) return undefined;
      if ((current as { [KIND]?: unknown })[KIND] !== undefined) return current as ContextError;
      current = (current as { cause?: unknown }).cause;
    }
  } catch {
    // A getter or a proxy that throws: whatever it is, a context must be able to end with it.
  }
  return undefined;
}

/** Whether `error` is, or was caused by, a context that is done. Follows `cause`. */
export function isContextError(error: unknown): error is Error {
  return findContextError(error) !== undefined;
}

/** Whether the first context error in the chain of causes says *canceled*. */
export function isCanceled(error: unknown): error is Error {
  return findContextError(error)?.[KIND] === "canceled";
}

/** Whether the first context error in the chain of causes says *deadline exceeded*. */
export function isDeadlineExceeded(error: unknown): error is Error {
  return findContextError(error)?.[KIND] === "deadline";
}

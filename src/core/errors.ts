/**
 * The errors of contexts. The class says what happened: the context was canceled, or its deadline
 * passed. The `cause` says why.
 *
 * Errors are recognized by a brand and never by `instanceof`, because two copies of the package can
 * meet in one process.
 */
import { now } from "./clock.ts";

const KIND: unique symbol = Symbol.for("eightysix.error") as never;

/** The property of a context error that holds the monotonic time at which its context ended. */
export const ENDED_AT: unique symbol = Symbol.for("eightysix.endedAt") as never;

/**
 * The error that `ctx.err()` returns once the context is done. Every operation that was stopped
 * rejects with it. Its `cause` is what was passed to `cancel(cause)` or to the deadline's options,
 * or the reason of a signal.
 *
 * All contexts that ended together share one error. Its `stack` is the one line "name: message",
 * because a trace would be expensive and would not lead to the code that canceled. In
 * `developmentMode` the `stack` leads there.
 */
export abstract class ContextError extends Error {
  /** A stable code, for code that compares strings. */
  declare readonly code: "ERR_CONTEXT_CANCELED" | "ERR_CONTEXT_DEADLINE_EXCEEDED";
  declare readonly [KIND]: "canceled" | "deadline";
  readonly #endedAt: number;

  /**
   * `endedAt` is the monotonic time, in milliseconds, at which the context ended. The default is
   * now, which is right for classes that implement `Context`.
   */
  constructor(options?: { cause?: unknown }, endedAt = now()) {
    super(undefined, options);
    this.#endedAt = endedAt;
  }

  /**
   * `undefined` if the time was not recorded. The end then counts from the moment at which it is
   * noticed.
   */
  get [ENDED_AT](): number | undefined {
    return this.#endedAt < 0 ? undefined : this.#endedAt;
  }
}

/**
 * The error of a context that was canceled: Go's `context.Canceled`. Its `name` is "AbortError", as
 * on the platform.
 */
export class CanceledError extends ContextError {
  declare readonly code: "ERR_CONTEXT_CANCELED";
}

/**
 * The error of a context whose deadline passed: Go's `context.DeadlineExceeded`. Its `name` is
 * "TimeoutError", as on the platform.
 */
export class DeadlineExceededError extends ContextError {
  declare readonly code: "ERR_CONTEXT_DEADLINE_EXCEEDED";
  /** Like Go's `Timeout()`, for code that asks any error whether it is a timeout. */
  declare readonly timeout: true;
}

// These properties are on the prototypes, because an error is created for every request that ends
// early, and own properties are most of the cost of an error without a trace.
function defineOn(prototype: object, properties: Record<PropertyKey, unknown>): void {
  for (const key of Reflect.ownKeys(properties)) {
    const value = properties[key as string];
    Object.defineProperty(prototype, key, { value, writable: true, configurable: true });
  }
}
defineOn(CanceledError.prototype, {
  name: "AbortError",
  message: "context canceled",
  stack: "AbortError: context canceled",
  code: "ERR_CONTEXT_CANCELED",
  [KIND]: "canceled",
});
defineOn(DeadlineExceededError.prototype, {
  name: "TimeoutError",
  message: "context deadline exceeded",
  stack: "TimeoutError: context deadline exceeded",
  code: "ERR_CONTEXT_DEADLINE_EXCEEDED",
  timeout: true,
  [KIND]: "deadline",
});

/**
 * Holds V8's limit of stack frames. If the limit is not a number, building an error takes a third
 * of the time.
 */
export const limits = Error as unknown as { stackTraceLimit?: number | undefined };
export const isLimitWritable =
  Object.getOwnPropertyDescriptor(Error, "stackTraceLimit")?.writable === true;

/**
 * Whether the engine gives each error an own `stack`. V8 does, and without a limit the `stack` is
 * `undefined`, which loggers would print. On other engines the `stack` of the prototype is visible.
 */
let hasOwnStack: boolean | undefined;

/** Builds the error of one end, without a trace if the engine allows it. */
export function buildError(
  Class: typeof CanceledError | typeof DeadlineExceededError,
  cause: unknown,
  endedAt: number,
): ContextError {
  const limit = limits.stackTraceLimit;
  if (isLimitWritable) limits.stackTraceLimit = undefined;
  try {
    const error = new Class(cause === undefined ? undefined : { cause }, endedAt);
    hasOwnStack ??= Object.hasOwn(error, "stack");
    if (hasOwnStack) error.stack = Class.prototype.stack as string;
    return error;
  } finally {
    if (isLimitWritable) limits.stackTraceLimit = limit;
  }
}

/** The most causes that are followed. A longer chain is a loop or an attack. */
export const LONGEST_CHAIN = 32;

/**
 * Returns the first context error in the chain of causes that starts with `error`, or `undefined`.
 */
export function findContextError(error: unknown): ContextError | undefined {
  let current = error;
  try {
    for (let i = 0; i < LONGEST_CHAIN; i++) {
      if (typeof current !== "object" || current === null) return undefined;
      const kind = (current as { [KIND]?: unknown })[KIND];
      if (kind === "canceled" || kind === "deadline") return current as ContextError;
      current = (current as { cause?: unknown }).cause;
    }
  } catch {
    // A getter or a proxy threw. A context must be able to end with any value.
  }
  return undefined;
}

/**
 * Returns whether `error` says that a context is done. It follows the chain of `cause`, so an error
 * that wraps a context error counts.
 */
export function isContextError(error: unknown): error is Error {
  return findContextError(error) !== undefined;
}

/**
 * Returns whether the first context error in the chain of causes of `error` is a `CanceledError`.
 */
export function isCanceled(error: unknown): error is Error {
  return findContextError(error)?.[KIND] === "canceled";
}

/**
 * Returns whether the first context error in the chain of causes of `error` is a
 * `DeadlineExceededError`.
 */
export function isDeadlineExceeded(error: unknown): error is Error {
  return findContextError(error)?.[KIND] === "deadline";
}

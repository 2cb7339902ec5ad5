/**
 * eightysix: Go's `context` for TypeScript, carried all the way down.
 *
 * @packageDocumentation
 */

// Contexts
export type { CancelableContext, Context } from "./core/context.ts";
export {
  background,
  merge,
  todo,
  withCancel,
  withDeadline,
  withoutCancel,
  withSignal,
  withTimeout,
  withValue,
  type DeadlineOptions,
} from "./core/derive.ts";
export { key, type Key } from "./core/values.ts";
export type { AbortSignalLike } from "./core/join.ts";

// Asking
export { cause, endedHere, hasBudget, remaining, throwIfDone } from "./core/ask.ts";
export { afterFunc, type Stop } from "./core/after-func.ts";

// Errors
export {
  CanceledError,
  ContextError,
  DeadlineExceededError,
  isCanceled,
  isContextError,
  isDeadlineExceeded,
} from "./core/errors.ts";
export { fromWire, toWire, type WireError } from "./core/wire.ts";

// While developing
export { developmentMode, type DroppedContext } from "./core/development.ts";

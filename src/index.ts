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
export { cause, endedHere, hasBudget, remaining, throwIfDone } from "./core/context-state.ts";
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

// While developing
export { developmentMode, type DroppedContext } from "./core/development.ts";

// Proof of stop
export {
  startWork,
  stopped,
  withLedger,
  working,
  type Receipt,
  type Work,
  type WorkInfo,
} from "./work/ledger.ts";

// Tasks
export { all, type AllOptions, type Task } from "./tasks/all.ts";
export { checkpoint } from "./tasks/checkpoint.ts";
export { orDone } from "./tasks/or-done.ts";
export { sleep } from "./tasks/sleep.ts";
export { shield, within } from "./tasks/within.ts";

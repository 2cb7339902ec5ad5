/**
 * eightysix: Go's `context` for TypeScript. When a request ends, everything it started stops.
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

// The state of a context
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

// Development
export { developmentMode, type DroppedContext } from "./core/development.ts";

// The ledger of work
export { startWork, stopped, withLedger, working } from "./work/ledger.ts";
export type { Receipt, Work, WorkInfo } from "./work/types.ts";

// Tasks
export type { LimitOptions, Task, TaskResult, TaskResults } from "./tasks/task.ts";
export { all } from "./tasks/all.ts";
export { allSettled, type TaskSettledResults } from "./tasks/all-settled.ts";
export { group, type Group } from "./tasks/group.ts";
export { map, type MapOptions } from "./tasks/map.ts";
export { any } from "./tasks/any.ts";
export { race } from "./tasks/race.ts";
export { Superseded } from "./tasks/superseded.ts";
export { hedge, type HedgeOptions } from "./tasks/hedge.ts";
export { interval } from "./tasks/interval.ts";
export { detach } from "./tasks/detach.ts";
export { checkpoint } from "./tasks/checkpoint.ts";
export { orDone } from "./tasks/or-done.ts";
export { Semaphore, type Permit } from "./tasks/semaphore.ts";
export { SingleFlight } from "./tasks/single-flight.ts";
export { sleep } from "./tasks/sleep.ts";
export { shield, within } from "./tasks/within.ts";

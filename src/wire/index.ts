/**
 * eightysix/wire: what crosses to another thread, process or machine: a deadline, an error, a cancel
 * message. For integrations of messaging systems. Runs on every platform.
 *
 * The names of this entry point may change until version 1.0.
 *
 * @packageDocumentation
 */

// Deadlines
export { formatDeadline, type FormatDeadlineOptions, type SentDeadline } from "./deadline.ts";
export { parseDeadline, type DeadlineGrammar } from "./grammar.ts";
export { DEADLINE_HEADER, ERROR_HEADER } from "./headers.ts";
export { BudgetTooSmallError } from "./budget-too-small-error.ts";

// Errors
export { fromWire, toWire, type WireError } from "./error.ts";
export { formatError, parseError } from "./error-text.ts";
export { calleeError, CalleeDeadline, CalleeEndedError } from "./callee-error.ts";

// Cancel messages
export {
  CANCEL_KIND,
  fromCancelMessage,
  toCancelMessage,
  type CancelMessage,
} from "./cancel-message.ts";

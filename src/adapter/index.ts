/**
 * eightysix/adapter: what an author of a driver needs to stop work when a context ends. The adapters
 * of this package are built on it. It may change until version 1.0.
 *
 * @packageDocumentation
 */

// One operation
export type { Operation, OperationEnd, Resolver, StopProof } from "./operation.ts";
export { runStoppable, STOP_TIMEOUT } from "./stoppable.ts";
export { runDetached, runUnstoppable, type UnstoppableOperation } from "./unstoppable.ts";

// Connections
export { lease, type LeaseOptions } from "./lease.ts";
export { takePlace } from "./take-place.ts";
export { explainWait } from "./held-connection.ts";

// Transactions, connections and streams
export type {
  ConnectionApi,
  ConnectionOptions,
  Session,
  SessionMethods,
  SessionSource,
  Statement,
  StatementMap,
  Stream,
  TransactionApi,
} from "./session.ts";
export { sessionMethods } from "./sessions.ts";
export { NothingCommittedError, type TransactionSteps } from "./transaction.ts";
export { rollBackLeftover, type LeftoverTransaction } from "./leftover-transaction.ts";
export { rowsOf, type Rows } from "./rows.ts";
export { RowBuffer, type RowSource } from "./row-buffer.ts";

// Engines inside this process
export { runInterruptible, type InterruptibleOperation } from "./engine/interrupt.ts";
export { engineSessions, EngineSession, type ConnectionSource } from "./engine/session.ts";
export { EngineStream, type StreamEnd, type StreamOperation } from "./engine/stream.ts";
export { EngineThreads, threadsFrom } from "./engine/threads.ts";

// Methods for the program
export { handOver, handOverAll } from "./hand-over.ts";
export { reportDirectCalls } from "./direct-calls.ts";

// Arguments and options
export { needContext, needFunction, showCaller } from "./misuse.ts";
export {
  closesAfterStop,
  settingsOf,
  type OnCancel,
  type Settings,
  type StopOptions,
} from "./settings.ts";

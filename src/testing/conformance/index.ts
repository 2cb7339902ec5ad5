/**
 * eightysix/testing/conformance: tests that hold an adapter to the stopping protocol. The adapters of
 * this package pass them. It runs on Node only, and may change until version 1.0.
 *
 * @packageDocumentation
 */

// The tests, with a test runner and without one
export { describeAdapter, type Runner } from "./describe.ts";
export { runAdapterTests, type ConformanceReport, type RunOptions } from "./run.ts";

// The description of an adapter
export type {
  AdapterUnderTest,
  ConformanceOptions,
  ConnectionUnderTest,
  Documented,
  OpenedAdapter,
  OpenOptions,
  StreamTask,
  Task,
  TransactionUnderTest,
} from "./adapter.ts";

// The parts, for tests of your own
export { startRelay } from "./relay.ts";
export type { Address, Link, MessageListener, Relay, RelayedMessage } from "./relayed.ts";
export {
  chunks,
  lines,
  mysqlPackets,
  postgresMessages,
  type Bytes,
  type Side,
  type Split,
} from "./messages.ts";
export { cancelAtEveryStep, type SteppedOperation, type SteppedOutcome } from "./steps.ts";
export { random } from "./random.ts";
export { runRace, type Race, type RaceResult } from "./race.ts";

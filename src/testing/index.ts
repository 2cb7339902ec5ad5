/// <reference lib="esnext.disposable" preserve="true" />
/**
 * eightysix/testing: contexts for tests, proof that everything has stopped, and time that tests
 * control. It needs no test runner.
 *
 * @packageDocumentation
 */

// Contexts for tests
export {
  inTestContext,
  testContext,
  type TestContextOptions,
  type TestLike,
} from "./test-context.ts";

// Proof that everything has stopped
export { expectStopped } from "./expect-stopped.ts";

// Cancellation at every step
export { cancelEverywhere, type CancelEverywhereOptions } from "./cancel-everywhere.ts";
export type { SteppedOutcome } from "./conformance/steps.ts";

// Time
export type { Clock } from "../core/clock.ts";
export { followTimers } from "./follow-timers.ts";
export { ManualClock } from "./manual-clock.ts";
export { useClock } from "./use-clock.ts";

/// <reference lib="esnext.disposable" preserve="true" />
/**
 * eightysix/testing: contexts for tests, proof that everything has stopped, and time that tests
 * control. It needs no test runner.
 *
 * @packageDocumentation
 */

// Contexts for tests
export { inTestContext, testContext, type TestContextOptions } from "./test-context.ts";
export type { TestLike } from "./runner.ts";

// Proof that everything has stopped
export { expectStopped } from "./expect-stopped.ts";
export {
  expectNothingLeft,
  expectNothingLeftAfter,
  type NothingLeftOptions,
} from "./nothing-left/expect-nothing-left.ts";
export type { Leftover, LeftoverKind } from "./nothing-left/leftover.ts";

// Cancellation at every step
export { cancelEverywhere, type CancelEverywhereOptions } from "./cancel-everywhere.ts";
export type { SteppedOutcome } from "./conformance/steps.ts";

// Time
export type { Clock } from "../core/clock.ts";
export { followTimers } from "./follow-timers.ts";
export { ManualClock } from "./manual-clock.ts";
export { useClock } from "./use-clock.ts";

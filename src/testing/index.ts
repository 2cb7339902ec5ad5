/// <reference lib="esnext.disposable" preserve="true" />
/**
 * eightysix/testing: contexts for tests, proof that everything has stopped, and time that tests
 * control. It needs no test runner.
 *
 * @packageDocumentation
 */

// Time
export type { Clock } from "../core/clock.ts";
export { followTimers } from "./follow-timers.ts";
export { ManualClock } from "./manual-clock.ts";
export { useClock } from "./use-clock.ts";

/** How long something takes, by the clock of contexts, which tests may replace. */
import { background, remaining, withTimeout } from "../index.ts";

/** 139 years in milliseconds: at that distance a double still counts microseconds. */
const FAR = 2 ** 42;

/**
 * Returns what tells the milliseconds that have passed since this call. The clock itself is not part
 * of the public API, and what is left until a deadline says the same.
 */
export function stopwatch(): () => number {
  const far = withTimeout(background(), FAR);
  return () => FAR - remaining(far);
}

/// <reference lib="esnext.disposable" preserve="true" />
import { swapClock, type Clock } from "../core/clock.ts";

/**
 * Makes all contexts take their time from `clock` until the returned object is disposed of.
 * Contexts that exist already keep their deadlines, which are times of the old clock.
 *
 * @example
 * const clock = new ManualClock();
 * using _ = useClock(clock);
 * const ctx = withTimeout(background(), 100);
 * clock.advance(100);
 * expect(isDeadlineExceeded(ctx.err())).toBe(true);
 */
export function useClock(clock: Clock): Disposable {
  const previous = swapClock(clock);
  return {
    [Symbol.dispose]() {
      swapClock(previous);
    },
  };
}

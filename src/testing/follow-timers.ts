/// <reference lib="esnext.disposable" preserve="true" />
/** Contexts under fake timers that leave `performance` real. */
import type { Clock } from "../core/clock.ts";
import { useClock } from "./use-clock.ts";

/**
 * Makes all contexts take their time from `Date` and `setTimeout` alone, until the returned object is
 * disposed of. Fake timers that do not replace `performance.now` need it: those of `node:test`, Jest
 * with `doNotFake: ["performance"]`, and sinon with such a `toFake`. Without it, their `setTimeout` fires
 * before the monotonic clock has moved, and no deadline passes.
 *
 * Call it after the fake timers are installed, and before the contexts are created. If `Date` is real
 * as well, a deadline passes only when its timer fires. A context that nothing watches has no timer.
 *
 * @example
 * mock.timers.enable({ apis: ["setTimeout", "Date"] });
 * using _ = followTimers();
 * const ctx = withTimeout(background(), 1_000);
 * mock.timers.tick(1_000);
 * assert.ok(isDeadlineExceeded(ctx.err()));
 */
export function followTimers(): Disposable {
  return useClock(new TimersClock());
}

/** A clock that takes a timer that fires as proof that its time has come. */
class TimersClock implements Clock {
  /** By how much fired timers are ahead of `Date`, in milliseconds. */
  #ahead = 0;

  now(): number {
    return Date.now() + this.#ahead;
  }

  wall(): number {
    return this.now();
  }

  setTimer(fn: () => void, ms: number, keepAlive: boolean): () => void {
    const due = this.now() + ms;
    const timer = setTimeout(() => {
      this.#ahead += Math.max(0, due - this.now());
      fn();
    }, ms);
    if (!keepAlive) (timer as { unref?: () => void }).unref?.();
    return () => {
      clearTimeout(timer);
    };
  }
}

/** Notices fake timers under which no deadline passes. */
import { platformClock, swapClock, type Clock } from "../core/clock.ts";
import { warnOnce } from "../internal.ts";

/** By how many milliseconds a timer fires too early only if it is fake. Real ones are rounded. */
const TOO_EARLY = 50;

/** Returns the functions that fake timers replace. */
const functions = (): [timer: unknown, time: unknown] => [
  globalThis.setTimeout,
  Reflect.get(globalThis.performance, "now"),
];

/** The clock of the platform, with a warning if a timer fires before its time. */
const noticingClock: Clock = {
  now: () => platformClock.now(),
  wall: () => platformClock.wall(),
  setTimer(fn, ms, keepAlive) {
    const due = platformClock.now() + ms;
    const [timer, time] = functions();
    // The two times can be compared only if both clocks are still those with which the timer was set.
    const isComparable = (): boolean => functions()[0] === timer && functions()[1] === time;
    const fire = (): void => {
      const early = Math.round(due - platformClock.now());
      if (early > TOO_EARLY && isComparable()) {
        warnOnce(
          "EIGHTYSIX_FAKE_TIMERS",
          "a timer of a context fired before its time: setTimeout is fake and performance.now is real, so no deadline passes; after the fake timers are installed, call followTimers() of eightysix/testing",
          "",
          `The timer fired ${early} ms too early.`,
        );
      }
      fn();
    };
    return platformClock.setTimer(fire, ms, keepAlive);
  },
};

/** From now on, warns once if fake timers replace `setTimeout` and not `performance`. */
export function noticeFakeTimers(): void {
  const clock = swapClock(noticingClock);
  if (clock !== platformClock) swapClock(clock); // a clock of the test
}

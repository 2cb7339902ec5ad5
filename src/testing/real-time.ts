/**
 * Real time, for the waits of the test kit itself. The functions are those that the platform has when
 * this file is loaded, so fake timers that a test installs later do not stop these waits.
 */
const { setTimeout, clearTimeout } = globalThis;
const now = globalThis.performance.now.bind(globalThis.performance);
const setImmediate = (globalThis as { setImmediate?: (fn: () => void) => unknown }).setImmediate;

/** Resolves after `ms` milliseconds. */
export function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

/** Resolves after one turn of the event loop, in which all microtasks that are due have run. */
export function turn(): Promise<void> {
  return setImmediate === undefined ? pause(0) : new Promise((resolve) => setImmediate(resolve));
}

/**
 * Calls `fn` once after `ms` milliseconds, unless the returned function is called before. The timer
 * does not keep the process running.
 */
export function later(fn: () => void, ms: number): () => void {
  const timer = setTimeout(fn, ms);
  (timer as { unref?: () => void }).unref?.();
  return () => {
    clearTimeout(timer);
  };
}

/** The longest pause between two looks, in milliseconds. */
const LONGEST_PAUSE = 20;

/**
 * Resolves with true when the condition holds, or with false if it does not hold `within` milliseconds from
 * now. Does not wait at all if the condition holds already. Otherwise it looks at least twice, with a pause
 * between, because under load one look can take all of the time.
 */
export async function poll(condition: () => boolean, within: number): Promise<boolean> {
  const giveUp = now() + within;
  for (let ms = 1; !condition(); ms = Math.min(2 * ms, LONGEST_PAUSE)) {
    await pause(ms);
    if (now() >= giveUp) return condition();
  }
  return true;
}

/** Resolves with whether `promise` settles within `ms` milliseconds. Never rejects. */
export async function settlesWithin(promise: Promise<unknown>, ms: number): Promise<boolean> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const limit = new Promise<boolean>((resolve) => {
    if (ms < Infinity) timer = setTimeout(resolve, ms, false);
  });
  const settled = promise.then(
    () => true,
    () => true,
  );
  const isSettled = await Promise.race([settled, limit]);
  clearTimeout(timer);
  return isSettled;
}

import { setImmediate as immediate } from "node:timers/promises";

/**
 * Returns the CPU time of this process in nanoseconds, user and system, of all threads. It includes
 * the garbage collector and the compiler, so the code that made them work pays for them. Unlike
 * wall time, it does not count what the neighbors on a shared machine do. It advances in
 * microseconds, so sample milliseconds.
 */
export function cpuNow(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) * 1e3;
}

/** Lets the event loop turn once: microtasks, timers that are due, finalizers. */
export const turn = (): Promise<void> => immediate();

/**
 * Collects all garbage, with turns between the collections: finalizers run there, and may free
 * more.
 */
export async function collect(): Promise<void> {
  if (globalThis.gc === undefined)
    throw new Error("the garbage collector is not exposed; run node with --expose-gc");
  for (let i = 0; i < 4; i++) {
    globalThis.gc();
    await turn();
  }
}

export function median(samples: readonly number[]): number {
  const sorted = [...samples].sort((a, b) => a - b);
  const mid = sorted.length >> 1;
  const [below = Number.NaN, above = below] = sorted.slice(
    sorted.length % 2 === 1 ? mid : mid - 1,
    mid + 1,
  );
  return (below + above) / 2;
}

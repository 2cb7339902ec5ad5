import { setImmediate as immediate } from "node:timers/promises";

/**
 * CPU time of this process in nanoseconds: user + system, every thread, so that the garbage
 * collector and the compiler are paid by whoever made them work. Unlike wall time it doesn't count
 * what the neighbours on a shared machine do. It advances in microseconds: sample milliseconds.
 */
export function cpuNow(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) * 1e3;
}

/** One turn of the event loop: microtasks, timers that are due, finalizers. */
export const turn = (): Promise<void> => immediate();

/** A full collection, with turns in between: finalizers run there, and may free more. */
export async function collect(): Promise<void> {
  if (globalThis.gc === undefined) throw new Error("run with --expose-gc");
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

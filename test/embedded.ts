/** Helpers for the tests of engines that run inside this process. */
import { until } from "./support/wait.ts";

export { until };

export const delay = (ms: number): Promise<void> => new Promise((r) => setTimeout(r, ms));

/** Returns the CPU time of this process and all its threads, in milliseconds. */
export function cpu(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
}

/** Resolves when the engine computes: when 30 ms of CPU time have been used since the call. */
export async function computing(): Promise<void> {
  const before = cpu();
  await until(() => cpu() > before + 30);
}

/** Resolves when the process has used less than a tenth of a CPU for 100 ms. */
export async function quiet(): Promise<void> {
  for (const ends = performance.now() + 10_000; ;) {
    const before = cpu();
    const then = performance.now();
    await delay(100);
    if (cpu() - before < (performance.now() - then) / 10) return;
    if (performance.now() > ends) throw new Error("the engine still computes");
  }
}

/** Returns the longest time for which the event loop ran no timer while `fn` was running. */
export async function longestBlock(fn: () => Promise<unknown>): Promise<number> {
  let longest = 0;
  let last = performance.now();
  const beat = (): void => {
    longest = Math.max(longest, performance.now() - last);
    last = performance.now();
  };
  const timer = setInterval(beat, 1);
  await fn().finally(() => clearInterval(timer));
  beat();
  return longest;
}

/** Resolves with the error that a promise rejects with. */
export const failure = (promise: Promise<unknown>): Promise<unknown> =>
  promise.then(
    () => new Error("succeeded"),
    (error: unknown) => error,
  );

import { cpuNow, median, turn } from "../measure/cpu.ts";
import { perTurn } from "../measure/per-op.ts";
import { quick } from "../measure/quick.ts";

/**
 * Returns the CPU nanoseconds of one call of `op`. The calls come one after the other, each awaited.
 * `isRight` checks the result of the first one.
 */
export async function perCall<T>(
  op: () => T | Promise<T>,
  isRight: (result: T) => boolean,
): Promise<{ value: number }> {
  check(isRight(await op()));
  const value = await perTurn(async (n) => {
    for (let i = 0; i < n; i++) await op();
  });
  return { value };
}

/**
 * Returns the CPU nanoseconds of one of the `n` calls of `op`, all of which wait at the same time.
 * Each sample starts on an empty queue.
 */
export async function perWaiter(
  n: number,
  op: () => unknown,
  isRight: () => boolean,
): Promise<{ value: number }> {
  const samples: number[] = [];
  const rounds = quick ? 3 : 9;
  for (let round = -2; round < rounds; round++) {
    const start = cpuNow();
    await Promise.all(Array.from({ length: n }, op));
    await turn();
    // The first rounds let the compiler finish.
    if (round >= 0) samples.push((cpuNow() - start) / n);
  }
  check(isRight());
  return { value: median(samples) };
}

/** Throws unless the case did its work. */
export function check(isRight: boolean): void {
  if (!isRight) throw new Error("the case did not do its work");
}

/** Returns the numbers 0 to `n` − 1. */
export const numbers = (n: number): number[] => Array.from({ length: n }, (_, i) => i);

/** The work of a task: one `await`, as short as one can be. */
export async function work(i: number): Promise<number> {
  await Promise.resolve();
  return i;
}

/** Returns tasks that do the work. */
export const tasksOf = (n: number): (() => Promise<number>)[] =>
  numbers(n).map((i) => () => work(i));

export const hasLength =
  (n: number) =>
  (results: readonly unknown[]): boolean =>
    results.length === n && results.at(-1) === n - 1;

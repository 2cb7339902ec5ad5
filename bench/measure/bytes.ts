import { collect, cpuNow } from "./cpu.ts";
import { quick } from "./quick.ts";

const heapUsed = (): number => {
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
};

/** Returns the heap bytes of one live result of `make`, without the array slot that holds it. */
export async function bytesLive(
  make: (i: number) => unknown,
  n = quick ? 20_000 : 100_000,
): Promise<number> {
  const held = new Array<unknown>(n).fill(null);
  // The first use allocates shared objects: shapes, compiled code, timer lists.
  for (let i = 0; i < 2_000; i++) held[i] = make(i);
  held.fill(null);
  await collect();
  const before = heapUsed();
  for (let i = 0; i < n; i++) held[i] = make(i);
  await collect();
  // Whole bytes, because a fraction comes from other objects on the heap.
  const bytes = Math.round((heapUsed() - before) / n);
  if (held.includes(null)) throw new Error("unreachable: keeps the array alive until here");
  return bytes;
}

/**
 * Returns what each of `n` calls of `op` leaves on the heap if its result is not kept, and the CPU
 * time of a call. The calls come in bursts of 1,000 with a turn of the event loop between them, as
 * in a server: some implementations clean up in finalizers, which need turns.
 */
export async function forgotten(
  op: (i: number) => unknown,
  n: number,
): Promise<{ bytes: number; ns: number }> {
  for (let i = 0; i < 2_000; i++) op(i);
  await collect();
  const before = heapUsed();
  const start = cpuNow();
  for (let i = 0; i < n;) {
    const to = Math.min(n, i + 1_000);
    for (; i < to; i++) op(i);
    await new Promise((resolve) => setImmediate(resolve));
  }
  const ns = (cpuNow() - start) / n;
  await collect();
  return { bytes: (heapUsed() - before) / n, ns };
}

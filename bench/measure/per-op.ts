import { do_not_optimize, measure } from "mitata";
import { cpuNow, turn } from "./cpu.ts";
import { quick } from "./quick.ts";

const WARM_UP_NS = 200e6;
const SAMPLE_NS = quick ? 10e6 : 30e6;
const SAMPLES = quick ? 5 : 13;
/**
 * The number of operations between two drains of the microtask queue: about one turn of a busy
 * server.
 */
const BURST = 1_000;

/**
 * Returns the CPU nanoseconds of one call of `op`. Each result is kept, so that the compiler cannot
 * remove the call. `ended` checks one result first: a cancel that cancels nothing is fast.
 */
export async function perOp<T>(
  op: (i: number) => T,
  ended: (result: T) => boolean,
): Promise<number> {
  const result = op(0);
  await turn();
  if (!ended(result)) throw new Error("the operation did not do its work");
  // Microtasks that `op` queues run inside the sample, because they are part of its price.
  return perTurn(async (n) => {
    for (let from = 0; from < n; from += BURST) {
      burst(op, from, Math.min(n, from + BURST));
      await Promise.resolve();
    }
  });
}

function burst(op: (i: number) => unknown, from: number, to: number): void {
  for (let i = from; i < to; i++) do_not_optimize(op(i));
}

/**
 * Returns the CPU nanoseconds of one of the `n` operations that `work` runs: the median of samples
 * that are long enough (30 ms) for several garbage collections. mitata drives the samples, with the
 * CPU clock.
 */
export async function perTurn(work: (n: number) => Promise<void>): Promise<number> {
  const sample = async (n: number) => {
    await work(n);
    await turn();
  };
  const n = await calibrate(sample);
  const stats = await measure(
    function* () {
      // The parameter is created outside the timed part. Timers that are due and finalizers run
      // there.
      yield { 0: turn, bench: (_: unknown) => sample(n) };
    } as () => Generator<() => unknown>,
    {
      now: cpuNow,
      min_samples: SAMPLES,
      min_cpu_time: SAMPLES * SAMPLE_NS,
      batch_threshold: -1,
    },
  );
  return stats.p50 / n;
}

/**
 * Returns how many operations fill a sample. Repeats the measurement until the compiler has
 * finished.
 */
async function calibrate(sample: (n: number) => Promise<void>): Promise<number> {
  let n = 64;
  for (let warm = 0; ;) {
    const start = cpuNow();
    await sample(n);
    const took = cpuNow() - start;
    warm += took;
    if (warm >= WARM_UP_NS && took >= SAMPLE_NS / 4) {
      return Math.max(1, Math.round((n * SAMPLE_NS) / took));
    }
    if (took < SAMPLE_NS / 2) n *= 2;
  }
}

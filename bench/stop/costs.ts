/**
 * Measures what an operation costs that is never canceled. The arms take turns in one process. An
 * arm's ratio is the median of its ratios to the bare driver's slice in the same round.
 */
import { cpuNow, median } from "../measure/cpu.ts";
import type { Arm, Costs } from "./driver.ts";

/** The cost of one arm, in microseconds for each operation. There is one figure for each round. */
export interface Cost {
  readonly name: string;
  readonly wall: readonly number[];
  readonly cpu: readonly number[];
}

/**
 * The length of a slice: long enough for CPU time, which advances in microseconds, and shorter than
 * most disturbances of the machine.
 */
const SLICE_MS = 30;
/** Rounds that are not measured. In them, code is compiled and statements are prepared. */
const WARM_UP = 3;

export async function costsOf({ arms }: Costs, rounds: number): Promise<Cost[]> {
  for (const { name, once, is } of arms) {
    const answer = await once();
    if (!is(answer)) throw new Error(`${name} returned a wrong result: ${JSON.stringify(answer)}`);
  }
  const count = await operationsIn(SLICE_MS, arms);
  const costs = arms.map(({ name }) => ({ name, wall: [] as number[], cpu: [] as number[] }));
  for (let round = -WARM_UP; round < rounds; round++) {
    // Each round begins with another arm, because an arm also collects the garbage of the one
    // before.
    for (let i = 0; i < arms.length; i++) {
      const at = (i + round + WARM_UP) % arms.length;
      const [arm, cost] = [arms[at], costs[at]];
      if (arm === undefined || cost === undefined) continue;
      const { wall, cpu } = await slice(arm, count);
      if (round < 0) continue;
      cost.wall.push(wall);
      cost.cpu.push(cpu);
    }
  }
  return costs;
}

/** Returns the median of the ratios to `base`, round by round. */
export function ratioTo(base: readonly number[], figures: readonly number[]): number {
  return median(figures.map((figure, round) => figure / (base[round] ?? Number.NaN)));
}

async function slice({ once }: Arm, count: number): Promise<{ wall: number; cpu: number }> {
  const [wall, cpu] = [performance.now(), cpuNow()];
  for (let i = 0; i < count; i++) await once();
  return {
    wall: ((performance.now() - wall) * 1e3) / count,
    cpu: (cpuNow() - cpu) / 1e3 / count,
  };
}

async function operationsIn(ms: number, [bare]: readonly Arm[]): Promise<number> {
  if (bare === undefined) throw new Error("the list of arms is empty; put the bare driver first");
  await slice(bare, 50);
  const { wall } = await slice(bare, 100);
  return Math.max(10, Math.round((ms * 1e3) / wall));
}

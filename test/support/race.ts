/**
 * A race that provokes late stops. A late stop misses its operation and hits the next one on the same
 * connection. So many operations are canceled close to their end, among innocent ones on few
 * connections. None of the innocent ones may become a wrong victim.
 */
import { appendFileSync } from "node:fs";
import { afterAll, beforeAll, expect } from "vitest";
import { background, withCancel, withLedger, working, type Context } from "../../src/index.ts";

/** How many contexts are canceled in each race. `npm run soak` sets a greater number. */
export const CANCELS = Number(process.env["EIGHTYSIX_TEST_CANCELS"] ?? 2_000);
const SEED = Number(process.env["EIGHTYSIX_TEST_SEED"] ?? 86);

/** Returns a generator of random numbers (mulberry32) that repeats itself for the same seed. */
export function random(seed: number): () => number {
  let a = seed;
  return () => {
    a = (a + 0x6d2b79f5) | 0;
    let t = Math.imul(a ^ (a >>> 15), 1 | a);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** Returns the reasons of all unhandled rejections of this test file. The list grows while the tests run. */
export function unhandledRejections(): readonly unknown[] {
  const unhandled: unknown[] = [];
  const listen = (reason: unknown): void => void unhandled.push(reason);
  beforeAll(() => void process.on("unhandledRejection", listen));
  afterAll(() => void process.off("unhandledRejection", listen));
  return unhandled;
}

export interface Race {
  /** Give each race a seed of its own. */
  seed: number;
  cancels?: number;
  /** How many operations run at once. Choose several for each connection. */
  workers: number;
  /** Runs an operation that takes `seconds` on the server and resolves with `i`. Its context will end. */
  guilty(ctx: Context, i: number, seconds: number): Promise<unknown>;
  /** Runs an operation that is as short as possible and resolves with `i`. It is never canceled. */
  innocent(ctx: Context, i: number): Promise<unknown>;
}

export interface RaceResult {
  canceled: number;
  /** How many were canceled after their answer had arrived. */
  late: number;
  innocent: number;
}

/** The result of one race, for `npm run soak`. */
export interface SoakResult extends RaceResult {
  /** Innocent operations that failed, or resolved with the answer of another operation. */
  victims: number;
  /** Pieces of work that the ledger still lists after all operations have settled. */
  leaked: number;
}

/** Appends a line to the file that `npm run soak` reads. Call it before the first assertion, so that a failed race is counted too. */
export function tell(result: object): void {
  const file = process.env["EIGHTYSIX_TEST_TOLD"];
  if (file) appendFileSync(file, `${JSON.stringify(result)}\n`);
}

/**
 * Runs the race. Each guilty operation must either reject with its context's own error or resolve with
 * its own answer. Each innocent one must resolve with its own answer.
 */
export async function race(options: Race): Promise<RaceResult> {
  const { seed, cancels = CANCELS, workers } = options;
  const draw = random(SEED + seed);
  const count = { canceled: 0, late: 0, innocent: 0 };
  let victims = 0;
  const root = withLedger(background());

  const guilty = async (i: number): Promise<void> => {
    using ctx = withCancel(root);
    // Every twentieth operation would take a minute, so that some are certainly canceled.
    const query = options.guilty(ctx, i, i % 20 === 0 ? 60 : draw() * 0.001);
    const delay = draw() * 4;
    if (delay < 1) setImmediate(() => ctx.cancel());
    else setTimeout(() => ctx.cancel(), delay);
    try {
      expect(await query).toBe(i);
      count.late++;
    } catch (error) {
      expect(error).toBe(ctx.err());
      count.canceled++;
    }
  };
  const innocent = async (i: number): Promise<void> => {
    victims++; // taken back when it has its answer
    expect(await options.innocent(root, i)).toBe(i);
    victims--;
    count.innocent++;
  };

  let left = cancels;
  const worker = async (): Promise<void> => {
    while (left-- > 0)
      await (draw() < 0.5 ? Promise.all([guilty(left), innocent(left)]) : guilty(left));
  };
  const outcomes = await Promise.allSettled(Array.from({ length: workers }, worker));
  const leaked = working(root);
  tell({ ...count, victims, leaked: leaked.length });
  for (const outcome of outcomes) if (outcome.status === "rejected") throw outcome.reason;
  expect(leaked).toEqual([]);
  expect(count.canceled + count.late).toBe(cancels);
  expect(count.canceled).toBeGreaterThan(0);
  expect(count.innocent).toBeGreaterThan(0);
  return count;
}

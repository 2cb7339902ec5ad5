/**
 * Late cancels are the main hazard: one that misses its query kills whatever runs next on that
 * connection. So: many late cancels among innocent queries on few connections, and no victims.
 */
import { appendFileSync } from "node:fs";
import { afterAll, beforeAll, expect } from "vitest";
import { background, withCancel, withLedger, working, type Context } from "../../src/index.ts";

/** How many contexts are canceled in each race; `npm run soak` asks for more. */
export const CANCELS = Number(process.env["EIGHTYSIX_TEST_CANCELS"] ?? 2_000);
const SEED = Number(process.env["EIGHTYSIX_TEST_SEED"] ?? 86);

/** mulberry32: the same numbers for the same seed. */
export function random(seed: number): () => number {
  let a = seed;
  return () => {
    a = (a + 0x6d2b79f5) | 0;
    let t = Math.imul(a ^ (a >>> 15), 1 | a);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** What is reported as unhandled from now until the end of the file. */
export function unhandledRejections(): readonly unknown[] {
  const unhandled: unknown[] = [];
  const listen = (reason: unknown): void => void unhandled.push(reason);
  beforeAll(() => void process.on("unhandledRejection", listen));
  afterAll(() => void process.off("unhandledRejection", listen));
  return unhandled;
}

export interface Race {
  /** Races that differ should differ in this, too. */
  seed: number;
  cancels?: number;
  /** How many of them at once: several for each connection. */
  workers: number;
  /** Takes this many seconds on the server, and resolves with `i`. Its context is going to end. */
  guilty(ctx: Context, i: number, seconds: number): Promise<unknown>;
  /** As short as can be; resolves with `i`. Nobody cancels it. */
  innocent(ctx: Context, i: number): Promise<unknown>;
}

export interface RaceResult {
  canceled: number;
  /** Cancels that came after the answer. */
  late: number;
  innocent: number;
}

/** What one race came to, for `npm run soak`. */
export interface Told extends RaceResult {
  /** Innocent ones that were not answered, or not with their own answer. */
  victims: number;
  /** Pieces of work that the ledger still lists when everybody has been answered. */
  leaked: number;
}

/** Adds a line to the file that `npm run soak` reads. Before anything is judged: it counts, too. */
export function tell(told: object): void {
  const file = process.env["EIGHTYSIX_TEST_TOLD"];
  if (file) appendFileSync(file, `${JSON.stringify(told)}\n`);
}

/**
 * Every guilty one is either canceled, with its context's own error, or answered; every innocent
 * one is answered, and with its own answer.
 */
export async function race(options: Race): Promise<RaceResult> {
  const { seed, cancels = CANCELS, workers } = options;
  const draw = random(SEED + seed);
  const count = { canceled: 0, late: 0, innocent: 0 };
  let victims = 0;
  const root = withLedger(background());

  const guilty = async (i: number): Promise<void> => {
    using ctx = withCancel(root);
    // Every twentieth would take a minute, so that there is always something to cancel.
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
    victims++; // until it is answered
    expect(await options.innocent(root, i)).toBe(i);
    victims--;
    count.innocent++;
  };

  let left = cancels;
  const worker = async (): Promise<void> => {
    while (left-- > 0)
      await (draw() < 0.5 ? Promise.all([guilty(left), innocent(left)]) : guilty(left));
  };
  const over = await Promise.allSettled(Array.from({ length: workers }, worker));
  const leaked = working(root);
  tell({ ...count, victims, leaked: leaked.length });
  for (const one of over) if (one.status === "rejected") throw one.reason;
  expect(leaked).toEqual([]);
  expect(count.canceled + count.late).toBe(cancels);
  expect(count.canceled).toBeGreaterThan(0);
  expect(count.innocent).toBeGreaterThan(0);
  return count;
}

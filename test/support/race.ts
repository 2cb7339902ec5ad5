/** The race of `eightysix/testing/conformance`, for tests of this project and for `npm run soak`. */
import { appendFileSync } from "node:fs";
import { afterAll, beforeAll, expect } from "vitest";
import {
  runRace,
  type Race as ConformanceRace,
  type RaceResult,
} from "../../src/testing/conformance/index.ts";

export { random, type RaceResult } from "../../src/testing/conformance/index.ts";

/** How many contexts are canceled in each race. `npm run soak` sets a greater number. */
export const DEFAULT_CANCELS = 2_000;
export const CANCELS = Number(process.env["EIGHTYSIX_TEST_CANCELS"] ?? DEFAULT_CANCELS);
/** The seed of all races. `npm run soak` sets another one. */
export const SEED = Number(process.env["EIGHTYSIX_TEST_SEED"] ?? 86);

/** Returns the reasons of all unhandled rejections of this test file. The list grows while the tests run. */
export function unhandledRejections(): readonly unknown[] {
  const unhandled: unknown[] = [];
  const listen = (reason: unknown): void => void unhandled.push(reason);
  beforeAll(() => void process.on("unhandledRejection", listen));
  afterAll(() => void process.off("unhandledRejection", listen));
  return unhandled;
}

/** A race without what the run decides. Give each race a seed of its own. */
export type Race = Omit<ConformanceRace, "cancels"> & { readonly cancels?: number };

/** Appends a line to the file that `npm run soak` reads. Call it before the first assertion, so that a failed race is counted too. */
export function tell(result: object): void {
  const file = process.env["EIGHTYSIX_TEST_TOLD"];
  if (file) appendFileSync(file, `${JSON.stringify(result)}\n`);
}

/**
 * Runs the race. Each guilty operation must either reject with its context's own error or resolve with
 * its own answer. Each innocent one must resolve with its own answer.
 */
export async function race({ seed, cancels = CANCELS, ...options }: Race): Promise<RaceResult> {
  const result = await runRace({ ...options, cancels, seed: SEED + seed });
  const { canceled, late, innocent, victims, leaked, failures } = result;
  tell({ canceled, late, innocent, victims, leaked });
  for (const failure of failures) throw failure;
  expect(leaked).toBe(0);
  expect(canceled + late).toBe(cancels);
  expect(canceled).toBeGreaterThan(0);
  expect(innocent).toBeGreaterThan(0);
  return result;
}

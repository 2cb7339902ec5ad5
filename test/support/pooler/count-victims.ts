/**
 * Cancels many queries among innocent ones, and counts those that a cancel request hits. Unlike the
 * race of the conformance kit, it counts on after a victim, and its queries are as long as a pooler
 * is late.
 */
import { background, withCancel, type Context } from "../../../src/index.ts";
import { random } from "../../../src/testing/conformance/index.ts";
import type { Select } from "./drivers.ts";

export interface VictimOptions {
  readonly cancels: number;
  readonly seed: number;
  /**
   * How many queries run at once. Choose one for each connection: a query that waits for a connection
   * when it is canceled sends no cancel request.
   */
  readonly workers: number;
}

export interface VictimCount {
  /** How many queries were stopped. */
  canceled: number;
  /** How many had ended before they were stopped. */
  late: number;
  /** How many innocent queries got their own row. */
  innocent: number;
  /** How many queries were hit by the cancel request of another one. */
  victims: number;
  /** Everything that went wrong in another way. */
  failures: unknown[];
}

/** SQLSTATE query_canceled. */
const QUERY_CANCELED = "57014";

/** The longest of most queries, in seconds. */
const LONGEST = 0.03;
/** Each fifth query that is canceled takes so long that its cancel request is in time. */
const LONG = 0.3;
/** How many innocent queries follow each one that was canceled, on a connection that may be the same. */
const FOLLOWING = 3;

export async function countVictims(select: Select, options: VictimOptions): Promise<VictimCount> {
  const { cancels, seed, workers } = options;
  const draw = random(seed);
  const count: VictimCount = { canceled: 0, late: 0, innocent: 0, victims: 0, failures: [] };
  const run = async (ctx: Context, i: number, seconds: number): Promise<void> => {
    const found = await select(ctx, `select ${i} as i, pg_sleep(${seconds})`);
    if (found !== i) count.failures.push(new Error(`query ${i} got the row of ${found}`));
  };
  /** Counts a query that failed although its context had not ended. */
  const fail = (error: unknown): void => {
    if ((error as { code?: unknown }).code === QUERY_CANCELED) count.victims++;
    else count.failures.push(error);
  };
  const guilty = async (i: number): Promise<void> => {
    using ctx = withCancel(background());
    const query = run(ctx, i, i % 5 === 0 ? LONG : draw() * LONGEST);
    setTimeout(() => ctx.cancel(), draw() * LONGEST * 1_000);
    try {
      await query;
      count.late++;
    } catch (error) {
      if (ctx.err() === undefined) fail(error);
      else if (error !== ctx.err()) count.failures.push(error);
      else count.canceled++;
    }
  };
  const innocent = async (i: number): Promise<void> => {
    try {
      await run(background(), i, draw() * LONGEST);
      count.innocent++;
    } catch (error) {
      fail(error);
    }
  };
  let left = cancels;
  const worker = async (): Promise<void> => {
    while (left > 0) {
      const i = --left;
      await guilty(i);
      for (let n = 0; n < FOLLOWING; n++) await innocent(i);
    }
  };
  await Promise.all(Array.from({ length: workers }, worker));
  return count;
}

/**
 * A race that provokes late stops. A late stop misses its operation and hits the next one on the same
 * connection. So many operations are canceled close to their end, among innocent ones on few
 * connections. None of the innocent ones may become a wrong victim.
 */
import { background, withCancel, withLedger, working, type Context } from "../../index.ts";
import { random } from "./random.ts";

export interface Race {
  /** The seed of the random numbers. A race with the same seed makes the same choices. */
  readonly seed: number;
  /** How many contexts are canceled. */
  readonly cancels: number;
  /** How many operations run at once. Choose several for each connection. */
  readonly workers: number;
  /** Runs an operation that takes `seconds` on the server and resolves with `i`. Its context will end. */
  guilty(ctx: Context, i: number, seconds: number): PromiseLike<unknown>;
  /** Runs an operation that is as short as possible and resolves with `i`. It is never canceled. */
  innocent(ctx: Context, i: number): PromiseLike<unknown>;
}

export interface RaceResult {
  /** How many operations were stopped. */
  readonly canceled: number;
  /** How many were canceled after their answer had arrived. */
  readonly late: number;
  /** How many innocent operations got their own answer. */
  readonly innocent: number;
  /** Innocent operations that failed, or resolved with the answer of another operation. */
  readonly victims: number;
  /** Pieces of work that the ledger still lists after all operations have settled. */
  readonly leaked: number;
  /** The first few failures: what happened to a victim, or what a canceled operation did wrong. */
  readonly failures: readonly Error[];
}

/** More failures say nothing new. */
const MAX_FAILURES = 5;

/**
 * Runs the race. Each guilty operation must either reject with its context's own error or resolve with
 * its own answer. Each innocent one must resolve with its own answer. Never rejects: see `failures`.
 */
export async function runRace(options: Race): Promise<RaceResult> {
  const { seed, cancels, workers } = options;
  const draw = random(seed);
  const count = { canceled: 0, late: 0, innocent: 0, victims: 0 };
  const failures: Error[] = [];
  const fail = (message: string, cause?: unknown): void => {
    if (failures.length < MAX_FAILURES) failures.push(new Error(message, { cause }));
  };
  const root = withLedger(background());

  const guilty = async (i: number): Promise<void> => {
    using ctx = withCancel(root);
    // Every twentieth operation would take a minute, so that some are certainly canceled.
    const query = options.guilty(ctx, i, i % 20 === 0 ? 60 : draw() * 0.001);
    const delay = draw() * 4;
    if (delay < 1) setImmediate(() => ctx.cancel());
    else setTimeout(() => ctx.cancel(), delay);
    try {
      const value = await query;
      if (value !== i) fail(`operation ${i} resolved with ${String(value)}`);
      count.late++;
    } catch (error) {
      if (error !== ctx.err()) fail(`canceled operation ${i} rejected: ${String(error)}`, error);
      count.canceled++;
    }
  };
  const innocent = async (i: number): Promise<void> => {
    try {
      const value = await options.innocent(root, i);
      if (value === i) {
        count.innocent++;
        return;
      }
      fail(`innocent operation ${i} resolved with ${String(value)}`);
    } catch (error) {
      fail(`innocent operation ${i} rejected: ${String(error)}`, error);
    }
    count.victims++;
  };

  let left = cancels;
  const worker = async (): Promise<void> => {
    while (left-- > 0 && failures.length < MAX_FAILURES)
      await (draw() < 0.5 ? Promise.all([guilty(left), innocent(left)]) : guilty(left));
  };
  await Promise.all(Array.from({ length: workers }, worker));
  return { ...count, leaked: working(root).length, failures };
}

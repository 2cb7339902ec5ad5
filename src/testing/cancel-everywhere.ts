import type { Context } from "../index.ts";
import {
  checkDuration,
  checkFunction,
  checkOptions,
  LONGEST_CHAIN,
  readProperty,
  recordStack,
  show,
} from "../internal.ts";
import { CanceledRun } from "./canceled-run.ts";
import type { SteppedOutcome } from "./conformance/steps.ts";
import { expectStopped, WITHIN } from "./expect-stopped.ts";
import { failure, programStack } from "./failure.ts";
import type { ManualClock } from "./manual-clock.ts";
import { useClock } from "./use-clock.ts";

/** The options of `cancelEverywhere`. */
export interface CancelEverywhereOptions<T> {
  /**
   * Called after each run, also after the one that was not canceled. Throws if the outcome is wrong, or if
   * the run has left something in a state that it must not be in.
   */
  readonly check?: (outcome: SteppedOutcome<T>) => unknown;
  /** How the context ends: it is canceled (the default), or its deadline passes. */
  readonly end?: "cancel" | "deadline";
  /**
   * The clock of all contexts during the runs. While `fn` waits, it moves from timer to timer, as in
   * `clock.run`. So `fn` must not wait for real I/O. It is given back after each run. By default time is real.
   */
  readonly clock?: ManualClock;
  /** How many milliseconds `fn` and its work may take to stop. The default is 3,000. */
  readonly within?: number;
}

const OPTIONS = ["check", "end", "clock", "within"];

/**
 * Runs `fn` once without a cancellation, and then once for each step that it takes on its context, which
 * ends at the first step, at the second step, and so on. Resolves with the names of the steps.
 *
 * A step is each place at which `fn`, or code that it calls, can find out that the context has ended:
 * - "err()", "signal", "afterFunc()": the code asks whether the context is done, reads its signal, or
 *   registers for its end, also through a child. The context ends just before that.
 * - "pg.query begins", "pg.query ends": work of that kind is recorded.
 * - "waits": the code waits for something else, a turn of the event loop after the step before.
 *
 * After each run:
 * - `fn` has settled. It has succeeded, because it was faster than the cancellation, or it has rejected
 *   with `ctx.err()`, or with an error that has it in its chain of causes.
 * - All its work has stopped, as `expectStopped` says.
 * - `check` does not throw.
 *
 * Otherwise `cancelEverywhere` rejects with an error that names the step and shows the code that took it.
 * It rejects as `fn` does if `fn` fails without a cancellation.
 *
 * `fn` must end by itself, so it is not a loop that goes on until its context ends. `cancelEverywhere`
 * cancels a run and rejects if the run takes more than 1,000 steps or if it can't go on. It can't go on if
 * `fn` waits for a second of real time while no timer of the `ManualClock` is set. Without a `ManualClock`
 * such a wait may be one for I/O, and goes on until the timeout of the test.
 *
 * The runs are equal, and so repeat each other's steps, if `fn` is. Let `fn` begin from the same state each
 * time. With a `ManualClock` time passes in the same way in each run. The number of steps may change with
 * the version of this package.
 *
 * @example
 * const steps = await cancelEverywhere((ctx) => transfer(ctx, "a", "b", 10), {
 *   check: async () => expect(await total()).toBe(100),
 * });
 * expect(steps).toContain("pg.query begins");
 */
export async function cancelEverywhere<T>(
  fn: (ctx: Context) => T | PromiseLike<T>,
  options: CancelEverywhereOptions<T> = {},
): Promise<string[]> {
  checkFunction(fn, "cancelEverywhere", "a function to run: (ctx) => …");
  checkOptions(options, "cancelEverywhere", OPTIONS);
  const { check, end = "cancel", clock, within = WITHIN } = options;
  if (end !== "cancel" && end !== "deadline") {
    throw new TypeError(
      `cancelEverywhere takes "cancel" or "deadline" for its option end, got ${show(end)}`,
    );
  }
  if (check !== undefined)
    checkFunction(check, "cancelEverywhere", "a function for the option check");
  checkDuration(within, "cancelEverywhere");
  const site = recordStack();
  /** Runs `fn` with an end at step `last`, and checks the run. */
  const once = async (last: number): Promise<CanceledRun<T>> => {
    const run = new CanceledRun<T>(last, end);
    using _ = clock === undefined ? undefined : useClock(clock);
    await run.run(fn, clock, within);
    if (run.endless !== undefined) {
      const advice = "give it a function that ends by itself, and soon";
      throw failure(`cancelEverywhere: ${run.endless}; ${advice}${stepOf(run)}`, site);
    }
    if (!run.isCanceled && run.outcome !== undefined && "stopped" in run.outcome) {
      throw run.outcome.stopped;
    }
    try {
      if (run.outcome === undefined) {
        throw new Error(`fn has not settled ${within} ms after the end of its context`);
      }
      expectOwnError(run);
      await expectStopped(run.ctx, { within });
      await check?.(run.outcome);
    } catch (error) {
      throw failure(`${whereOf(run)}: ${messageOf(error)}${stepOf(run)}`, site, error);
    }
    return run;
  };
  const { steps } = await once(NEVER);
  if (steps.length === 0) {
    throw failure(
      "cancelEverywhere: fn has taken no step, because it never asked its context; pass the context on",
      site,
    );
  }
  for (let last = 1; (await once(last)).isCanceled; last++);
  return steps;
}

/** The number of a step that no run reaches. */
const NEVER = Infinity;

/** Throws if a canceled run has rejected for another reason. */
function expectOwnError<T>({ ctx, outcome }: CanceledRun<T>): void {
  if (outcome === undefined || !("stopped" in outcome)) return;
  const { stopped } = outcome;
  const own = ctx.err();
  let error: unknown = stopped;
  for (let i = 0; i < LONGEST_CHAIN && error !== undefined; i++) {
    if (error === own) return;
    error = readProperty(error, "cause");
  }
  throw new Error(`fn has rejected with ${String(stopped)} instead of ctx.err()`, {
    cause: stopped,
  });
}

function whereOf<T>({ isCanceled, steps }: CanceledRun<T>): string {
  const { length } = steps;
  return isCanceled ? `ended at step ${length}, ${String(steps.at(-1))}` : "without a cancellation";
}

/** The lines of a failure that show the code that took the step. */
function stepOf<T>({ site }: CanceledRun<T>): string {
  const stack = programStack(site);
  return stack === undefined ? "" : `\nThe step was taken here:\n${stack}`;
}

function messageOf(error: unknown): string {
  const message = readProperty(error, "message");
  return typeof message === "string" ? message : String(error);
}

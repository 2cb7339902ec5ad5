import { checkDuration, checkFunction, checkOptions, recordStack } from "../../internal.ts";
import { failure } from "../failure.ts";
import { poll } from "../real-time.ts";
import { afterCleanup, checkTest, type TestLike } from "../runner.ts";
import { printLeftovers, type Leftover } from "./leftover.ts";
import { Recorder } from "./recorder.ts";

/** The options of `expectNothingLeft`. */
export interface NothingLeftOptions {
  /** How many milliseconds things may take to go after the end of the function. The default is 1,000. */
  readonly within?: number;
  /** Returns whether something may stay, such as the connection of a pool that all tests share. */
  readonly ignore?: (leftover: Leftover) => boolean;
}

const OPTIONS = ["within", "ignore"];
const WITHIN = 1_000;

/**
 * Runs `fn`, and fails if it has left something behind. Returns the result of `fn`, and rejects as `fn`
 * does.
 *
 * What can be left behind, and who is to blame for it:
 * - a context that is watched and has not ended: the code that derived it. A context that nothing
 *   watches leaves nothing behind.
 * - a callback of `afterFunc`, or an abort listener, on a context from outside that has not ended: the
 *   code that registered it.
 * - a timer, a connection, a server, a pipe, a UDP socket, a child process, a worker thread, a file
 *   watcher: the code that created it.
 *
 * What existed before, and what other code creates at the same time, does not count. Things that are just
 * closing have `within` milliseconds of real time to go. Fake timers do not count, because their package
 * counts them: `vi.getTimerCount()`, `clock.timers`.
 *
 * Resources are found by `node:async_hooks`. On other platforms than Node, only contexts, callbacks and
 * listeners count.
 *
 * @example
 * await expectNothingLeft(async () => {
 *   const pool = new pg.Pool();
 *   await report(withContext(pool));
 *   await pool.end(); // without it: "a connection to 127.0.0.1:5432", and the line that opened it
 * });
 */
export async function expectNothingLeft<T>(
  fn: () => T | PromiseLike<T>,
  options?: NothingLeftOptions,
): Promise<T> {
  checkFunction(fn, "expectNothingLeft", "a function to run: async () => …");
  const check = checkOf("expectNothingLeft", options);
  const site = recordStack();
  const recorder = new Recorder();
  recorder.start();
  try {
    const result = await recorder.run(fn);
    const error = await check(recorder, "the function", site);
    if (error !== undefined) throw error;
    return result;
  } finally {
    recorder.stop();
  }
}

/**
 * Fails a test of vitest or of `node:test` that leaves something behind, as `expectNothingLeft` does, after
 * all cleanup functions of the test have run. Call it before the test creates anything: in a `beforeEach`
 * of the suite.
 *
 * Everything that the process creates until the end of the test counts. So it does not work for tests that
 * run at the same time in one process (`test.concurrent`).
 *
 * @example
 * beforeEach((t) => expectNothingLeftAfter(t));
 */
export function expectNothingLeftAfter(t: TestLike, options?: NothingLeftOptions): void {
  checkTest(t, "expectNothingLeftAfter", "expectNothingLeft(async () => { … })");
  const check = checkOf("expectNothingLeftAfter", options);
  const site = recordStack();
  const recorder = new Recorder(true);
  recorder.start();
  afterCleanup(
    t,
    () =>
      check(recorder, "the test", site).finally(() => {
        recorder.stop();
      }),
    options?.within ?? WITHIN,
  );
}

type Check = (recorder: Recorder, who: string, site: Error) => Promise<Error | undefined>;

/** Returns a function that waits until nothing is left, and returns the failure if something is. */
function checkOf(caller: string, options: NothingLeftOptions | undefined): Check {
  checkOptions(options, caller, OPTIONS);
  const { within = WITHIN, ignore = () => false } = options ?? {};
  checkDuration(within, caller);
  checkFunction(ignore, caller, "a function for the option ignore");
  return async (recorder, who, site) => {
    recorder.pause();
    const left = (): Leftover[] => recorder.leftovers().filter((leftover) => !ignore(leftover));
    if (await poll(() => left().length === 0, within)) return undefined;
    return failure(
      `${who} has left this behind, ${within} ms after its end:\n${printLeftovers(left())}`,
      site,
    );
  };
}

/** The context of one test, as Go's `testing.T.Context`. */
import { background, withLedger, withSignal, type Context } from "../index.ts";
import {
  checkDuration,
  checkFunction,
  checkOptions,
  ledgerOf,
  recordStack,
  type Ledger,
} from "../internal.ts";
import { describeRunning } from "./describe-work.ts";
import { WITHIN } from "./expect-stopped.ts";
import { developmentHint, failure, list, type Culprit } from "./failure.ts";
import { noticeFakeTimers } from "./notice-fake-timers.ts";
import { later, poll } from "./real-time.ts";
import { beforeCleanup, checkTest, isTest, ownSignal, type TestLike } from "./runner.ts";
import { timeoutError } from "./timeout-error.ts";

/** The options of `testContext` and `inTestContext`. */
export interface TestContextOptions {
  /**
   * The timeout of the test in milliseconds, for a runner that does not tell it. vitest does. Infinity
   * means none.
   */
  readonly timeout?: number;
  /**
   * By how many milliseconds the context ends before the timeout, so that its work can stop and the test
   * can say what was slow. The default is a tenth of the timeout, and at most 1,000.
   */
  readonly margin?: number;
  /** How many milliseconds the work may take to stop at the end of the test. The default is 3,000. */
  readonly within?: number;
}

const OPTIONS = ["timeout", "margin", "within"];

/** The cause with which the context of a test ends when its function has ended. Counts as finished. */
class TestFinished extends Error {
  override readonly name = "TestFinished";
  readonly code = "ERR_TEST_FINISHED";
  readonly finished = true;
  constructor() {
    super("the test has finished");
    this.stack = `${this.name}: ${this.message}`;
  }
}

/** One test that runs with a context. */
export class RunningTest {
  readonly ctx: Context;
  readonly within: number;
  readonly #ledger: Ledger;
  readonly #site = recordStack();
  readonly #end: () => void;

  constructor(t: TestLike | undefined, caller: string, options: TestContextOptions | undefined) {
    checkOptions(options, caller, OPTIONS);
    const { timeout = t?.task?.timeout ?? 0, within = WITHIN } = options ?? {};
    const { margin = Math.min(timeout / 10, 1_000) } = options ?? {};
    for (const ms of [timeout, margin, within]) checkDuration(ms, caller);
    noticeFakeTimers();
    const limit = new AbortController();
    const scope = withSignal(background(), limit.signal, ownSignal(t));
    // Not a deadline of the context: a fake clock would reach it, and cut all longer deadlines below it.
    const clear =
      timeout > 0 && timeout < Infinity
        ? later(
            () => limit.abort(timeoutError(timeout, margin, this.#ledger.running)),
            Math.max(0, timeout - margin),
          )
        : undefined;
    this.ctx = withLedger(scope);
    this.#ledger = ledgerOf(this.ctx) as Ledger;
    this.within = within;
    this.#end = () => {
      clear?.();
      scope.cancel(new TestFinished());
    };
  }

  /** Ends the context. Resolves when its work has stopped, with the failure if that takes too long. */
  async end(): Promise<Error | undefined> {
    this.#end();
    const { outliving } = this.#ledger;
    const isIdle = (): boolean => this.#ledger.running.length === 0 && outliving.size === 0;
    if (await poll(isIdle, this.within)) return undefined;
    const left: Culprit[] = this.#ledger.running.map(describeRunning);
    const functions = outliving.size - outliving.shields;
    if (outliving.shields > 0) left.push({ text: `${outliving.shields} running shield()` });
    if (functions > 0) left.push({ text: `${functions} running detach()` });
    return failure(
      `work has outlived the test by ${this.within} ms, although its context has ended:\n${list(left)}${developmentHint()}`,
      this.#site,
    );
  }
}

const contexts = new WeakMap<object, Context>();

/**
 * Returns the context of a test of vitest or of `node:test`, as Go's `t.Context()`. It has a ledger, so
 * `expectStopped`, `stopped` and `working` can read its work. A second call for the same test returns the
 * same context.
 *
 * The context ends:
 * - as finished, when the test function has ended, just before the test's own cleanup functions run
 *   (`onTestFinished`, `t.after`). So these find work that is about to stop. The hooks of the suite
 *   (`afterEach`) run before that.
 * - when the runner aborts the test's `signal`: at the timeout, on `bail`, on Ctrl-C.
 * - with a `DeadlineExceededError` (its `name` is "TimeoutError"), shortly before the test's timeout,
 *   which vitest tells. It names the work that was running. With `node:test`, pass the option
 *   `timeout`. It is real time, even if the test's clock is fake, and `ctx.deadline()` does not show it.
 *
 * After the end it waits until all work of the ledger has stopped, and `shield` and `detach` have
 * finished. If that takes more than `within` milliseconds, the test fails, and the error names the work.
 *
 * For Jest, Mocha and other runners use `inTestContext`.
 *
 * @example
 * test("a report has rows", async (t) => {
 *   const ctx = testContext(t);
 *   expect(await report(ctx, "sales")).toHaveLength(3);
 * });
 */
export function testContext(t: TestLike, options?: TestContextOptions): Context {
  checkTest(t, "testContext", 'test("…", inTestContext(async (ctx) => { … }))');
  const known = contexts.get(t);
  if (known !== undefined) return known;
  const running = new RunningTest(t, "testContext", options);
  beforeCleanup(
    t,
    async () => {
      contexts.delete(t); // vitest uses the same object when it runs the test again
      return await running.end();
    },
    running.within,
  );
  contexts.set(t, running.ctx);
  return running.ctx;
}

/**
 * Returns a test function for any runner, which runs `fn` with a context like that of `testContext`. The
 * context ends when `fn` has settled, before all cleanup functions and hooks of the runner. The arguments
 * of the runner follow the context.
 *
 * Use it for Jest, Mocha, Deno and others that hand no cleanup functions to a test. If the runner does not
 * tell its timeout, pass it as an option: at its timeout, such a runner starts the next test, and nothing
 * else ends the work of this one.
 *
 * The returned function rejects as `fn` does. If `fn` succeeds and work outlives it, the function rejects
 * with an error that names the work.
 *
 * @example
 * test(
 *   "a report has rows",
 *   inTestContext(async (ctx) => {
 *     expect(await report(ctx, "sales")).toHaveLength(3);
 *   }, { timeout: 5_000 }),
 * );
 */
export function inTestContext<This, Args extends unknown[]>(
  fn: (this: This, ctx: Context, ...args: Args) => unknown,
  options?: TestContextOptions,
): (this: This, ...args: Args) => Promise<void> {
  checkFunction(fn, "inTestContext", "the function of a test: async (ctx) => …");
  checkOptions(options, "inTestContext", OPTIONS);
  // Without named parameters, because Jest and Mocha count them to find functions that take a callback.
  return async function (this: This, ...args: Args): Promise<void> {
    const [t] = args;
    const running = new RunningTest(isTest(t) ? t : undefined, "inTestContext", options);
    let error: Error | undefined;
    try {
      await fn.call(this, running.ctx, ...args);
    } finally {
      error = await running.end();
    }
    if (error !== undefined) throw error;
  };
}

/** Registers the tests with a test runner. */
import type { AdapterUnderTest, ConformanceOptions } from "./adapter.ts";
import { conformanceTests } from "./suite.ts";

/**
 * The functions of a test runner, such as vitest, `node:test`, Jest or Mocha. `test.skip` reports
 * what is not tested. A runner without it does not show these tests.
 */
export interface Runner {
  readonly describe: (name: string, fn: () => void) => unknown;
  readonly test: {
    (name: string, fn: () => Promise<void>, timeout?: number): unknown;
    skip?(name: string, fn: () => Promise<void>): unknown;
  };
}

/** Milliseconds that a runner waits longer than the kit, so that the kit can say what went wrong. */
const RESERVE = 10_000;

/**
 * Registers the tests that hold an adapter to the stopping protocol. A test that the description
 * gives no means for is skipped, and its name says what is missing. Each test connects by itself and
 * has its own time limit. They must run one after the other.
 *
 * @example
 * import { describe, test } from "vitest"; // or from "node:test"
 *
 * describeAdapter({ describe, test }, {
 *   name: "reports",
 *   server: { host: "127.0.0.1", port: 5432 },
 *   async open({ host, port, connections, stopTimeout }) {
 *     const pool = await createPool({ host, port, max: connections });
 *     return { db: withContext(pool, { stopTimeout }), close: () => pool.end() };
 *   },
 *   run: (db, ctx, { i, ms, tag }) => db.query(ctx, `sleep ${ms} ${tag}`, i),
 *   quick: (db, ctx, i) => db.query(ctx, "sleep 0", i),
 *   isRunning: (tag) => observer.isRunning(tag),
 *   isStopRequest: (bytes) => bytes.includes("CANCEL"),
 * });
 */
export function describeAdapter<Db>(
  { describe, test }: Runner,
  adapter: AdapterUnderTest<Db>,
  options: ConformanceOptions = {},
): void {
  const tests = conformanceTests(adapter, options);
  describe(`${adapter.name} keeps to the stopping protocol:`, () => {
    for (const group of new Set(tests.map((one) => one.group))) {
      describe(group, () => {
        for (const { name, skipped, timeLimit, run } of tests.filter(
          (one) => one.group === group,
        )) {
          if (skipped === undefined) test(name, run, timeLimit + RESERVE);
          else test.skip?.(name, run);
        }
      });
    }
  });
}

/** Runs the tests without a test runner. */
import type { AdapterUnderTest, ConformanceOptions } from "./adapter.ts";
import { ProcessReports } from "./process-reports.ts";
import { conformanceTests } from "./suite.ts";

/** What became of the tests. */
export interface ConformanceReport {
  /** The names of the tests that the adapter has passed. */
  readonly passed: readonly string[];
  readonly failed: readonly { readonly name: string; readonly error: Error }[];
  /** What is not tested, and what the description lacks for it. */
  readonly skipped: readonly { readonly name: string; readonly reason: string }[];
}

/** Settings of a run without a test runner. */
export interface RunOptions extends ConformanceOptions {
  /** Runs only the tests whose full name, "group: name", contains this text or matches it. */
  only?: string | RegExp;
}

/**
 * Runs the tests of `describeAdapter` without a test runner, one after the other. Never rejects
 * because of the adapter: `failed` lists what it did wrong.
 *
 * @example
 * const { failed } = await runAdapterTests(adapter);
 * for (const { name, error } of failed) console.error(name, error.message);
 */
export async function runAdapterTests<Db>(
  adapter: AdapterUnderTest<Db>,
  { only = "", ...options }: RunOptions = {},
): Promise<ConformanceReport> {
  const passed: string[] = [];
  const failed: { name: string; error: Error }[] = [];
  const skipped: { name: string; reason: string }[] = [];
  const reports = new ProcessReports();
  for (const test of conformanceTests(adapter, options, reports)) {
    const name = `${test.group}: ${test.name}`;
    if (typeof only === "string" ? !name.includes(only) : !only.test(name)) continue;
    if (test.skipped !== undefined) {
      skipped.push({ name, reason: test.skipped });
      continue;
    }
    try {
      await test.run();
      passed.push(name);
    } catch (error) {
      failed.push({ name, error: error instanceof Error ? error : new Error(String(error)) });
    }
  }
  reports.stop();
  return { passed, failed, skipped };
}

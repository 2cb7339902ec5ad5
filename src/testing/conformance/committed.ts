/** What transactions have committed. */
import type { AdapterUnderTest } from "./adapter.ts";
import { check } from "./expect.ts";

/** Compares what was committed since the last call. `after` says what has happened before. */
export async function expectCommitted<Db>(
  adapter: AdapterUnderTest<Db>,
  expected: readonly number[],
  after: string,
): Promise<void> {
  const numbers = [...((await adapter.committed?.()) ?? [])].sort((a, b) => a - b);
  check(
    numbers.join() === expected.join(),
    `after ${after}, the table must contain [${expected.join()}], and contains [${numbers.join()}]: commit only after \`fn\` has returned, and roll back or destroy the connection otherwise`,
  );
}

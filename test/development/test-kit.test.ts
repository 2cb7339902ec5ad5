/** The failures of the test kit in development mode, which show the code of the program. */
import { expect, test } from "vitest";
import { cause, sleep, startWork } from "../../src/index.ts";
import { testContext } from "../../src/testing/index.ts";
import { inDevelopment } from "../support/development.ts";

inDevelopment();

test("the timeout of a test shows the line that started the work", async () => {
  const ctx = testContext({ after: () => undefined }, { timeout: 40 });
  const work = startWork(ctx, "pg.query", "select pg_sleep(10)");
  await sleep(ctx, 60_000).catch(() => work.end());
  expect(String(cause(ctx))).toMatch(
    /\n- pg\.query \(select pg_sleep\(10\)\) had been running for \d+ ms\n {4}at .*test-kit\.test\.ts/,
  );
});

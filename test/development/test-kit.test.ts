/** The failures of the test kit in development mode, which show the code of the program. */
import { expect, test } from "vitest";
import { sleep, startWork, withCancel } from "../../src/index.ts";
import { expectStopped, testContext } from "../../src/testing/index.ts";
import { inDevelopment } from "../support/development.ts";

inDevelopment();

test("the timeout of a test shows the line that started the work", async () => {
  const ctx = testContext({ after: () => undefined }, { timeout: 40 });
  const work = startWork(ctx, "pg.query", "select pg_sleep(10)");
  await sleep(ctx, 60_000).catch(() => work.end());
  expect(ctx.err()?.stack).toMatch(
    /\n- pg\.query \(select pg_sleep\(10\)\) had been running for \d+ ms\n {4}at .*test-kit\.test\.ts:\d+:\d+\)?$/,
  );
});

test("a failure ends at the last frame of the program, above those of the test runner", async (t) => {
  const ctx = withCancel(testContext(t));
  startWork(ctx, "never.stops").end();
  const work = startWork(ctx, "never.stops");
  ctx.cancel();
  const error = await expectStopped(ctx, { within: 5 }).then(
    () => undefined,
    (failure: unknown) => failure as Error,
  );
  work.end();
  const [message = "", own = ""] = (error?.stack ?? "").split("\n\n");
  expect(message).toMatch(
    /never\.stops is still running.*\n {4}at .*test-kit\.test\.ts:\d+:\d+\)?$/s,
  );
  expect(own).toMatch(/^ {4}at .*test-kit\.test\.ts:\d+:\d+\)?$/);
});

/** Tests with `testContext` that node:test runs. Some must fail. src/testing/test-context.test.ts says which. */
/* eslint-disable @typescript-eslint/no-floating-promises -- node:test waits for its own tests */
import assert from "node:assert/strict";
import { afterEach, beforeEach, describe, it, test } from "node:test";
import {
  afterFunc,
  detach,
  isDeadlineExceeded,
  sleep,
  startWork,
  working,
  type Context,
} from "../../../src/index.ts";
import { expectNothingLeftAfter, inTestContext, testContext } from "../../../src/testing/index.ts";
import { log, logState } from "./log.ts";

describe("order", () => {
  let ctx: Context;
  afterEach(() => logState("afterEach", ctx));
  it("cleanup", (t) => {
    ctx = testContext(t);
    t.after(() => logState("after", ctx));
    logState("test", ctx);
    assert.equal(testContext(t), ctx);
  });
});

describe("a context of beforeEach", () => {
  let ctx: Context;
  beforeEach((t) => {
    ctx = testContext(t);
  });
  it("is that of the test", (t) => {
    assert.equal(testContext(t), ctx);
  });
});

test("waits for work", (t) => {
  const ctx = testContext(t);
  t.after(() => log(`waited: ${working(ctx).length} left`));
  const work = startWork(ctx, "slow.stop");
  afterFunc(ctx, () => setTimeout(() => work.end(), 50));
});

test("waits for detach", (t) => {
  const ctx = testContext(t);
  t.after(() => log("after detach"));
  detach(ctx, 1_000, async (inner) => {
    await sleep(inner, 50);
    log("detach has finished");
  });
});

test("outlived by work", (t) => {
  const ctx = testContext(t, { within: 50 });
  t.after(() => log("after the failure"));
  startWork(ctx, "never.stops", "the culprit");
});

test("outlived by work of a subtest", async (t) => {
  testContext(t);
  await t.test("subtest", (t) => {
    startWork(testContext(t, { within: 50 }), "never.stops", "of a subtest");
  });
});

test("deadline", { timeout: 5_000 }, async (t) => {
  const ctx = testContext(t, { timeout: 300, margin: 200 });
  await assert.rejects(sleep(ctx, 60_000), (error: unknown) => isDeadlineExceeded(error));
  logState("deadline", ctx);
});

test("timeout", { timeout: 100 }, async (t) => {
  const ctx = testContext(t);
  t.after(() => logState("after the timeout", ctx));
  await new Promise((resolve) => setTimeout(resolve, 500));
});

test(
  "wrapped: passes",
  inTestContext(async (ctx) => {
    await sleep(ctx, 1);
  }),
);

test(
  "wrapped: fails",
  inTestContext(
    (ctx) => {
      startWork(ctx, "never.stops", "in a wrapped test");
    },
    { within: 50 },
  ),
);

describe("nothing left", () => {
  beforeEach((t) => {
    expectNothingLeftAfter(t, { within: 50 });
  });

  it("clean: the cleanup ends what the test has started", (t) => {
    const ctx = testContext(t);
    ctx.signal.throwIfAborted(); // a read of the signal watches the context
    const timer = setTimeout(() => undefined, 60_000);
    t.after(() => clearTimeout(timer));
    t.after(() => log("left: clean"));
  });

  it("unclean: a timer is left", (t) => {
    const ctx = testContext(t);
    ctx.signal.throwIfAborted(); // a read of the signal watches the context
    setTimeout(() => undefined, 54_321).unref();
    t.after(() => log("left: unclean"));
  });
});

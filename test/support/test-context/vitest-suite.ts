/** Tests with `testContext` that vitest runs. Some must fail. src/testing/test-context.test.ts says which. */
import { afterEach, beforeEach, describe, expect, onTestFinished, test } from "vitest";
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
  test("cleanup", (t) => {
    t.onTestFinished(() => logState("cleanup registered before", ctx));
    ctx = testContext(t);
    t.onTestFinished(() => logState("cleanup registered first", ctx));
    onTestFinished(() => logState("cleanup registered last", ctx));
    logState("test", ctx);
    expect(testContext(t)).toBe(ctx);
  });
});

describe("a context of beforeEach", () => {
  let ctx: Context;
  beforeEach((t) => {
    ctx = testContext(t);
  });
  test("is that of the test", (t) => {
    expect(testContext(t)).toBe(ctx);
  });
});

test("waits for work", (t) => {
  const ctx = testContext(t);
  t.onTestFinished(() => log(`waited: ${working(ctx).length} left`));
  const work = startWork(ctx, "slow.stop");
  afterFunc(ctx, () => setTimeout(() => work.end(), 50));
});

test("waits for detach", (t) => {
  const ctx = testContext(t);
  t.onTestFinished(() => log("after detach"));
  detach(ctx, 1_000, async (inner) => {
    await sleep(inner, 50);
    log("detach has finished");
  });
});

test("outlived by work", (t) => {
  const ctx = testContext(t, { within: 50 });
  t.onTestFinished(() => log("after the failure"));
  startWork(ctx, "never.stops", "the culprit");
});

test("deadline", { timeout: 5_000 }, async (t) => {
  const ctx = testContext(t, { margin: 4_800 });
  await sleep(ctx, 60_000).catch((error: unknown) => {
    expect(isDeadlineExceeded(error)).toBe(true);
    logState("deadline", ctx);
  });
});

test("timeout", { timeout: 100 }, async (t) => {
  const ctx = testContext(t, { timeout: Infinity });
  t.onTestFinished(() => logState("after the timeout", ctx));
  await new Promise((resolve) => setTimeout(resolve, 500));
});

let tries = 0;
test("a second try", { timeout: 1_000, retry: 1 }, async (t) => {
  const ctx = testContext(t, { timeout: Infinity });
  logState(`try ${++tries}`, ctx);
  if (tries === 1) await sleep(ctx, 60_000);
});

test("skipped", (t) => {
  const ctx = testContext(t);
  afterFunc(ctx, () => logState("skipped", ctx));
  t.skip();
});

test.concurrent("at the same time, a", async (t) => {
  const ctx = testContext(t);
  await sleep(ctx, 30);
  logState("a", ctx);
});
test.concurrent("at the same time, b", async (t) => {
  await sleep(testContext(t), 1);
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

  test("clean: the cleanup ends what the test has started", (t) => {
    const ctx = testContext(t);
    ctx.signal.throwIfAborted(); // a read of the signal watches the context
    const timer = setTimeout(() => undefined, 60_000);
    t.onTestFinished(() => clearTimeout(timer));
    t.onTestFinished(() => log("left: clean"));
  });

  test("unclean: a timer is left", (t) => {
    const ctx = testContext(t);
    ctx.signal.throwIfAborted(); // a read of the signal watches the context
    setTimeout(() => undefined, 54_321).unref();
    t.onTestFinished(() => log("left: unclean"));
  });
});

test("in order: nothing is left, although the cleanup was registered before", (t) => {
  const timers: NodeJS.Timeout[] = [];
  t.onTestFinished(() => timers.forEach((timer) => clearTimeout(timer)));
  expectNothingLeftAfter(t, { within: 50 });
  timers.push(setTimeout(() => undefined, 60_000));
});

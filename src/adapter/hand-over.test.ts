import { describe, expect, test } from "vitest";
import { reported } from "../../test/support.ts";
import { background, sleep, withCancel, withTimeout, type Context } from "../index.ts";
import { RequestFinished } from "../http/index.ts";
import { handOver, handOverAll, runStoppable } from "./index.ts";

/** A method of an adapter whose operation runs until it is stopped, or fails with `error`. */
function methodOf(error?: Error) {
  return handOver(async (ctx: Context) => {
    let reject: ((error: unknown) => void) | undefined;
    return await runStoppable<never>(ctx, {
      start: () => new Promise((_, no) => (reject = no)),
      stop() {
        reject?.(error ?? "stopped");
        return Promise.resolve("proven");
      },
      isStop: (failure) => failure === "stopped",
      destroy: () => undefined,
    });
  });
}

describe("a promise that an adapter hands over, and that nothing handles,", () => {
  test.each<[string, (ctx: ReturnType<typeof withCancel>) => unknown]>([
    ["with RequestFinished", (ctx) => ctx.cancel(new RequestFinished())],
    ["as `using` does", (ctx) => ctx[Symbol.dispose]()],
  ])("counts as handled if its context finishes %s", async (_, finish) => {
    const run = methodOf();
    const unhandled = await reported(async () => {
      const ctx = withCancel(background());
      void run(ctx);
      void run(withTimeout(ctx, 60_000));
      await sleep(background(), 1);
      finish(ctx);
      void run(ctx); // after the end
    });
    expect(unhandled).toEqual([]);
  });

  test("is an unhandled rejection if its context was canceled", async () => {
    const ctx = withCancel(background());
    const unhandled = await reported(() => {
      void methodOf()(ctx);
      ctx.cancel();
    });
    expect(unhandled).toEqual([ctx.err()]);
  });

  test("is an unhandled rejection if the operation fails for a reason of its own", async () => {
    const error = new Error("no such table");
    const unhandled = await reported(() => {
      const ctx = withCancel(background());
      void methodOf(error)(ctx);
      ctx.cancel(new RequestFinished());
    });
    expect(unhandled).toEqual([error]);
  });

  test("is an unhandled rejection if the program has wrapped it", async () => {
    const ctx = withCancel(background());
    const run = methodOf();
    const unhandled = await reported(() => {
      void (async () => await run(ctx))();
      ctx.cancel(new RequestFinished());
    });
    expect(unhandled).toEqual([ctx.err()]);
  });
});

describe("handOver", () => {
  test("rejects for a caller that awaits, also after a while", async () => {
    const ctx = withCancel(background());
    const running = methodOf()(ctx);
    ctx.cancel(new RequestFinished());
    await sleep(background(), 5);
    await expect(running).rejects.toBe(ctx.err());
  });

  test("keeps the caller in the stack of an error", async () => {
    const run = handOver(async (_ctx: Context) => {
      await Promise.resolve();
      throw new Error("no");
    });
    async function caller(): Promise<void> {
      await run(background());
    }
    const error: unknown = await caller().catch((error: unknown) => error);
    expect((error as Error).stack).toMatch(/at (?:async )?caller/);
  });

  test("passes on what is no promise, and members that are no functions", () => {
    const { stream, max } = handOverAll({ stream: (_ctx: Context) => [1], max: 3 });
    expect([stream(background()), max]).toEqual([[1], 3]);
  });
});

import { describe, expect, test } from "vitest";
import { inUserCode } from "../../test/support/user-code.ts";
import {
  afterFunc,
  all,
  background,
  group,
  hedge,
  interval,
  isCanceled,
  isDeadlineExceeded,
  map,
  Semaphore,
  sleep,
  startWork,
  throwIfDone,
  withCancel,
  withTimeout,
  type Context,
} from "../index.ts";
import { cancelEverywhere, ManualClock } from "./index.ts";

/** Ends the loop of a test that its context does not end. */
let isOver = false;

const failureOf = async (promise: Promise<unknown>): Promise<Error> => {
  const error: unknown = await promise.then(
    () => new Error("it resolved"),
    (reason: unknown) => reason,
  );
  return error as Error;
};

/** Work that stops a moment after its context has ended. */
async function query(ctx: Context): Promise<number> {
  throwIfDone(ctx);
  const work = startWork(ctx, "toy.query");
  try {
    await sleep(ctx, 10);
    return 1;
  } finally {
    work.end();
  }
}

describe("cancelEverywhere", () => {
  test("ends the context at each step, and returns the names of the steps", async () => {
    const ends: unknown[] = [];
    const steps = await cancelEverywhere(
      async (ctx) => {
        throwIfDone(ctx);
        void ctx.signal;
        await Promise.resolve();
        throwIfDone(ctx);
        return "done";
      },
      {
        check: (outcome) => {
          ends.push("value" in outcome ? outcome.value : String((outcome.stopped as Error).cause));
        },
      },
    );
    expect(steps).toEqual(["err()", "signal", "err()"]);
    expect(ends).toEqual([
      "done",
      "Error: ended at step 1, err()",
      "Error: ended at step 2, signal",
      "Error: ended at step 3, err()",
      "done",
    ]);
  });

  test("lets the deadline pass at each step instead, if it is asked to", async () => {
    const kinds: boolean[] = [];
    await cancelEverywhere((ctx) => throwIfDone(ctx), {
      end: "deadline",
      check: (outcome) => {
        if ("stopped" in outcome) kinds.push(isDeadlineExceeded(outcome.stopped));
      },
    });
    expect(kinds).toEqual([true]);
  });

  test("counts the work that begins and ends, and the waits", async () => {
    const steps = await cancelEverywhere(query, { clock: new ManualClock() });
    expect(steps).toContain("afterFunc()");
    expect(steps.filter((name) => !/err|afterFunc/.test(name))).toEqual([
      "toy.query begins",
      "waits",
      "toy.query ends",
    ]);
  });

  test("does not count the work of other contexts", async () => {
    const steps = await cancelEverywhere((ctx) => {
      throwIfDone(ctx);
      startWork(background(), "other.work").end();
    });
    expect(steps).toEqual(["err()"]);
  });

  test("moves a manual clock from timer to timer, the same way in each run", async () => {
    const clock = new ManualClock();
    const retry = async (ctx: Context): Promise<void> => {
      for (let i = 0; i < 3; i++) {
        using attempt = withTimeout(ctx, 60_000);
        await sleep(attempt, 1_000);
      }
    };
    const steps = await cancelEverywhere(retry, { clock });
    expect(steps.filter((name) => name === "waits")).toHaveLength(3);
    expect(await cancelEverywhere(retry, { clock })).toEqual(steps);
    expect(clock.timers).toBe(0);
  });

  test("finds state that a cancellation leaves halfway, and names the step and its code", async () => {
    let balance = { a: 100, b: 0 };
    const transfer = async (ctx: Context): Promise<void> => {
      balance = { a: 100, b: 0 };
      throwIfDone(ctx);
      balance.a -= 10;
      await Promise.resolve();
      inUserCode(() => throwIfDone(ctx)); // too late
      balance.b += 10;
    };
    const error = await failureOf(
      inUserCode(() =>
        cancelEverywhere(transfer, {
          check: () => {
            if (balance.a + balance.b !== 100) throw new Error(`${balance.a} and ${balance.b}`);
          },
        }),
      ),
    );
    expect(error.message).toMatch(
      /^ended at step 2, err\(\): 90 and 0\nThe step was taken here:\n +at inUserCode .*user-code\.ts/,
    );
    expect(error.stack).toContain("user-code.ts");
    expect(String(error.cause)).toBe("Error: 90 and 0");
  });

  test("finds code that answers with an error of its own", async () => {
    const error = await failureOf(
      cancelEverywhere((ctx) => {
        if (ctx.err()) throw new TypeError("rows is undefined");
      }),
    );
    expect(error.message).toMatch(
      /^ended at step 1, err\(\): fn has rejected with TypeError: rows is undefined instead of ctx\.err\(\)/,
    );
  });

  test("accepts an error that has ctx.err() in its chain of causes", async () => {
    const steps = await cancelEverywhere((ctx) => {
      const err = ctx.err();
      if (err) throw new Error("no report", { cause: new Error("no rows", { cause: err }) });
    });
    expect(steps).toHaveLength(1);
  });

  test("finds code that never settles after a cancellation", async () => {
    const error = await failureOf(
      cancelEverywhere(
        async (ctx) => {
          const { signal } = ctx; // if it has aborted already, no listener is called
          await new Promise<void>((resolve) => {
            signal.addEventListener("abort", () => resolve());
            if (!signal.aborted) setTimeout(resolve, 5);
          });
        },
        { within: 30 },
      ),
    );
    expect(error.message).toMatch(
      /^ended at step 1, signal: fn has not settled 30 ms after the end of its context/,
    );
  });

  test("finds work that goes on after a cancellation", async () => {
    const error = await failureOf(
      cancelEverywhere(
        async (ctx) => {
          const work = startWork(ctx, "toy.query", "select 1");
          await sleep(ctx, 1);
          work.end(); // not in finally
        },
        { within: 20 },
      ),
    );
    expect(error.message).toMatch(/^ended at step \d+, .*: one piece of work has not stopped/);
    expect(error.message).toContain("toy.query (select 1) is still running");
  });

  test("rejects as the function does if that fails without a cancellation", async () => {
    const own = new Error("broken");
    await expect(
      cancelEverywhere((ctx) => {
        throwIfDone(ctx);
        throw own;
      }),
    ).rejects.toBe(own);
  });

  test("checks the run without a cancellation as well", async () => {
    const check = () => {
      throw new Error("wrong");
    };
    const error = await failureOf(cancelEverywhere((ctx) => ctx.err(), { check }));
    expect(error.message).toBe("without a cancellation: wrong");
  });

  test("rejects a function that never asks its context", async () => {
    await expect(cancelEverywhere(() => sleep(background(), 1))).rejects.toThrow(
      "fn has taken no step, because it never asked its context",
    );
  });

  test("rejects a function of too many steps after one run", async () => {
    let runs = 0;
    const busy = (ctx: Context): void => {
      runs++;
      for (let i = 0; i < 2_000; i++) throwIfDone(ctx);
    };
    await expect(cancelEverywhere(busy)).rejects.toThrow("fn has taken more than 1000 steps");
    expect(runs).toBe(1);
  });

  test.each<[string, string, (ctx: Context) => unknown]>([
    [
      "a loop over an interval",
      "fn has taken more than 1000 steps",
      async (ctx) => {
        for await (const _ of interval(ctx, 1_000)) continue;
      },
    ],
    [
      "a loop that asks no context",
      "fn has waited for more than 1000 timers",
      async () => {
        while (!isOver) await sleep(background(), 1_000);
      },
    ],
    [
      "a wait for the end of the context",
      "fn has waited for 1000 ms of real time, and no timer of the clock is set",
      (ctx) => new Promise<void>((resolve) => void afterFunc(ctx, () => resolve())),
    ],
  ])("ends a function that does not end by itself, and says so: %s", async (_, why, fn) => {
    isOver = false;
    const clock = new ManualClock();
    const error = await failureOf(cancelEverywhere(fn, { clock, within: 20 }));
    expect(error.message).toContain(`cancelEverywhere: ${why}`);
    expect(error.message).toContain("give it a function that ends by itself");
    const before = clock.now();
    isOver = true;
    const real = performance.now();
    await sleep(background(), 20); // the clock of the run is no longer in force
    expect(performance.now() - real).toBeGreaterThan(15);
    expect(clock.now()).toBe(before);
  });

  test("rejects wrong arguments", async () => {
    await expect(cancelEverywhere(undefined as never)).rejects.toThrow("takes a function");
    const fn = (ctx: Context): unknown => ctx.err();
    await expect(cancelEverywhere(fn, { end: "timeout" as never })).rejects.toThrow(
      '"cancel" or "deadline"',
    );
    await expect(cancelEverywhere(fn, { steps: 3 } as never)).rejects.toThrow("unknown option");
    await expect(cancelEverywhere(fn, { check: 1 as never })).rejects.toThrow("the option check");
    await expect(cancelEverywhere(fn, { within: "1" as never })).rejects.toThrow(TypeError);
  });
});

describe.each(["cancel", "deadline"] as const)(
  "tasks whose context ends (%s) at any step",
  (end) => {
    const run = async (fn: (ctx: Context) => unknown): Promise<string[]> => {
      const clock = new ManualClock();
      const steps = await cancelEverywhere(fn, { clock, end });
      expect(clock.timers).toBe(0);
      return steps;
    };

    test.each<[string, (ctx: Context) => unknown]>([
      ["all", (ctx) => all(ctx, [query, query])],
      ["group", (ctx) => group(ctx, (g) => void [g.go(query), g.go(query)], { limit: 1 })],
      [
        "map",
        async (ctx) => {
          for await (const rows of map(ctx, [1, 2, 3], query, { limit: 2 })) expect(rows).toBe(1);
        },
      ],
      ["hedge", (ctx) => hedge(ctx, query, { after: 5, max: 2 })],
      ["Semaphore", (ctx) => new Semaphore(1).use(ctx, query)],
      [
        "a child",
        async (ctx) => {
          using child = withCancel(ctx);
          const stop = afterFunc(child, () => undefined);
          await query(child);
          stop();
        },
      ],
    ])("%s leaves no work and no timer", async (_, fn) => {
      expect(await run(fn)).toContain("toy.query begins");
    });

    test("the error is that of the end", async () => {
      await cancelEverywhere(query, {
        end,
        check: (outcome) => {
          if ("value" in outcome) return;
          const isOwn = end === "cancel" ? isCanceled : isDeadlineExceeded;
          expect(isOwn(outcome.stopped)).toBe(true);
        },
      });
    });
  },
);

import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { flush } from "../../../test/support.ts";
import { ManualClock, useClock } from "../../testing/index.ts";
import {
  background,
  sleep,
  stopped,
  withCancel,
  withLedger,
  within,
  withTimeout,
  working,
  type Context,
} from "../../index.ts";
import { admission, OverloadedError, RequestFinished, statusOf, type Admission } from "../index.ts";

let clock: ManualClock;
let installed: Disposable;
beforeEach(() => {
  clock = new ManualClock();
  installed = useClock(clock);
});
afterEach(() => installed[Symbol.dispose]());

const HOUR = 3_600_000;
const budget = (ms: number): Context => withTimeout(background(), ms);

/** Runs work that takes `ms`. Resolves to "ran", or to the error of `run`. */
async function outcome(gate: Admission, ctx: Context, ms = 0): Promise<unknown> {
  return await gate
    .run(ctx, (own) => sleep(own, ms).then(() => "ran"))
    .catch((err: unknown) => err);
}

/** Runs work that takes `ms`, and lets that time pass. Resolves as `outcome` does. */
async function outcomeAfter(gate: Admission, ctx: Context, ms: number): Promise<unknown> {
  const all = outcome(gate, ctx, ms);
  await flush();
  clock.advance(ms);
  return await all;
}

async function teach(gate: Admission, ms: number, times = 5): Promise<void> {
  for (let i = 0; i < times; i++) expect(await outcomeAfter(gate, background(), ms)).toBe("ran");
}

const refused = expect.any(OverloadedError) as unknown;

describe("the learned cost", () => {
  test("does not refuse any run while it is unknown", async () => {
    expect(await outcome(admission(), budget(1))).toBe("ran");
  });

  test("refuses a run whose context has less time left, and does not start its work", async () => {
    const gate = admission({ name: "GET /report" });
    await teach(gate, 100);
    expect(gate.cost).toBe(100);
    let hasStarted = false;
    const run = gate.run(budget(99), () => (hasStarted = true));
    await expect(run).rejects.toMatchObject({
      name: "OverloadedError",
      code: "ERR_OVERLOADED",
      message: "refused before it started",
      why: "GET /report: 99 ms left for work of 100 ms",
      retryAfter: 1,
    });
    expect(hasStarted).toBe(false);
    expect(await outcome(gate, budget(101))).toBe("ran");
  });

  test("starts from the option `cost`", async () => {
    const gate = admission({ cost: 500 });
    expect(await outcome(gate, budget(499))).toEqual(refused);
    await teach(gate, 100, 6);
    expect(gate.cost).toBe(100);
  });

  test("does not refuse a run whose context has no deadline", async () => {
    expect(await outcome(admission({ cost: HOUR }), background())).toBe("ran");
  });

  test("ignores failed runs, whose errors reach the caller unchanged", async () => {
    const gate = admission();
    await teach(gate, 100);
    const failure = new Error("no connection");
    for (let i = 0; i < 40; i++) {
      await expect(gate.run(budget(HOUR), () => Promise.reject(failure))).rejects.toBe(failure);
    }
    const thrown = gate.run(budget(HOUR), () => {
      throw failure;
    });
    await expect(thrown).rejects.toBe(failure);
    expect(gate.cost).toBe(100);
    expect(gate.running).toBe(0);
  });

  test("counts a run that its deadline stops as twice as long, and ignores one that was canceled early", async () => {
    const gate = admission();
    await teach(gate, 100, 31);
    for (let i = 0; i < 40; i++) {
      using leaves = withCancel(budget(HOUR));
      const left = outcome(gate, leaves, HOUR);
      await flush();
      clock.advance(5);
      leaves.cancel();
      expect(await left).toBe(leaves.err());
    }
    expect(gate.cost).toBe(100);
    for (let i = 0; i < 16; i++) {
      const ctx = budget(300);
      const late = outcome(gate, ctx, HOUR);
      await flush();
      clock.advance(300);
      expect(await late).toBe(ctx.err());
    }
    expect(gate.cost).toBe(600);
  });

  test("counts a run that fails with its own inner deadline as a stopped run", async () => {
    const gate = admission();
    for (let i = 0; i < 5; i++) {
      const late = gate.run(budget(HOUR), (ctx) => within(ctx, 50, (own) => sleep(own, HOUR)));
      late.catch(() => undefined);
      await flush();
      clock.advance(50);
      await expect(late).rejects.toThrow("deadline");
    }
    expect(gate.cost).toBe(100);
  });

  test("counts a run as finished if its request finished before the run did", async () => {
    const gate = admission();
    for (let i = 0; i < 5; i++) {
      const request = withCancel(budget(HOUR));
      const run = gate.run(request, async () => {
        clock.advance(40);
        request.cancel(new RequestFinished());
      });
      await run;
    }
    expect(gate.cost).toBe(40);
  });
});

describe("a gate whose estimate is too high", () => {
  test("halves its cost every second without a run, and a run that succeeds replaces the cost", async () => {
    const gate = admission({ cost: 600 });
    expect(await outcome(gate, budget(300))).toEqual(refused);
    clock.advance(999);
    expect(await outcome(gate, budget(300))).toEqual(refused);
    clock.advance(2);
    expect(await outcomeAfter(gate, budget(300), 10)).toBe("ran");
    expect(gate.cost).toBe(10);
    expect(await outcome(gate, budget(20))).toBe("ran");
  });

  test("refuses other runs while one tests the decayed cost", async () => {
    const gate = admission({ cost: 600 });
    clock.advance(1_001);
    const tried = outcome(gate, budget(300), 100);
    await flush();
    expect(await outcome(gate, budget(300))).toEqual(refused);
    clock.advance(100);
    expect(await tried).toBe("ran");
  });

  test("keeps its cost if the run that tests it is stopped by its deadline", async () => {
    const gate = admission({ cost: 600 });
    clock.advance(1_001);
    const ctx = budget(300);
    expect(await outcomeAfter(gate, ctx, 300)).toBe(ctx.err());
    expect(gate.cost).toBe(600);
    expect(await outcome(gate, budget(300))).toEqual(refused);
  });

  test("lets a run test the decayed cost while another run never ends", async () => {
    const gate = admission({ cost: 600, concurrency: 2 });
    void gate.run(background(), () => new Promise(() => undefined));
    await flush();
    clock.advance(1_001);
    expect(await outcome(gate, budget(300))).toBe("ran");
  });

  test("admits a run with any time left after enough half-lives, whatever happened before", async () => {
    const event = fc.record({
      kind: fc.constantFrom("whole", "stopped", "failed"),
      ms: fc.integer({ min: 0, max: 100_000 }),
      pause: fc.integer({ min: 0, max: 5_000 }),
    });
    const history = fc.array(event, { maxLength: 80 });
    const initial = fc.option(fc.integer({ min: 0, max: 100_000 }), { nil: undefined });
    await fc.assert(
      fc.asyncProperty(
        history,
        initial,
        fc.integer({ min: 1, max: 1_000 }),
        async (past, at, ms) => {
          clock = new ManualClock();
          using _ = useClock(clock);
          const gate = admission({ concurrency: 1, ...(at !== undefined && { cost: at }) });
          for (const { kind, ms: took, pause } of past) {
            using ctx = withCancel(budget(HOUR));
            const run = gate.run(ctx, async (own) => {
              await sleep(own, took);
              if (kind === "failed") throw new Error("failed");
              if (kind === "stopped") ctx.cancel();
            });
            run.catch(() => undefined);
            await flush();
            clock.advance(took);
            await run.catch(() => undefined);
            clock.advance(pause);
          }
          // One half-life for each halving from the learned cost to the time that is left.
          const cost = gate.cost ?? 0;
          const halvings = Math.max(0, Math.log2(cost / ms));
          clock.advance(Math.ceil(halvings * Math.max(1_000, cost)) + 1);
          expect(await outcome(gate, budget(ms))).toBe("ran");
          expect(gate.running + gate.waiting).toBe(0);
        },
      ),
      { numRuns: 200 },
    );
  });
});

describe("a gate with limited places", () => {
  /** Work that goes on until `release` is called. */
  function held(gate: Admission, ctx: Context = background()) {
    let release = (): void => undefined;
    const done = gate.run(ctx, () => new Promise<void>((resolve) => (release = resolve)));
    done.catch(() => undefined);
    return { done, release: () => release() };
  }

  test("runs callers in the order in which they came, and never more than `concurrency` at once", async () => {
    const gate = admission({ concurrency: 2 });
    const order: number[] = [];
    let most = 0;
    const all = Array.from({ length: 6 }, (_, i) =>
      gate.run(background(), async (ctx) => {
        order.push(i);
        most = Math.max(most, gate.running);
        await sleep(ctx, 10);
      }),
    );
    await flush();
    expect([gate.running, gate.waiting]).toEqual([2, 4]);
    for (let i = 0; i < 3; i++) {
      clock.advance(10);
      await flush();
    }
    await Promise.all(all);
    expect([order, most]).toEqual([[0, 1, 2, 3, 4, 5], 2]);
    expect([gate.running, gate.waiting]).toEqual([0, 0]);
  });

  test("refuses at once a caller whose time does not cover its cost and twice the predicted wait", async () => {
    const gate = admission({ concurrency: 1 });
    await teach(gate, 100);
    const first = held(gate);
    await flush();
    const second = outcome(gate, budget(HOUR)); // its predicted wait is 100 ms
    expect(await outcome(gate, budget(499))).toMatchObject({
      why: "499 ms left for twice a wait of 200 ms and work of 100 ms",
    });
    const third = outcome(gate, budget(501));
    await flush();
    expect(gate.waiting).toBe(2);
    first.release();
    expect([await second, await third]).toEqual(["ran", "ran"]);
  });

  test("refuses a caller whose turn comes too late, and serves the next one", async () => {
    const gate = admission({ concurrency: 1 });
    await teach(gate, 100);
    const first = held(gate);
    const late = outcome(gate, budget(350));
    const next = outcome(gate, budget(HOUR));
    await flush();
    clock.advance(300); // the first run takes longer than predicted
    first.release();
    expect([await late, await next]).toEqual([refused, "ran"]);
  });

  test("removes a caller from the queue when its context ends, and rejects with its error", async () => {
    const gate = admission({ concurrency: 1 });
    const first = held(gate);
    using leaves = withCancel(background());
    const left = outcome(gate, leaves);
    const next = outcome(gate, background());
    await flush();
    leaves.cancel();
    expect(await left).toBe(leaves.err());
    expect(gate.waiting).toBe(1);
    first.release();
    expect(await next).toBe("ran");
  });

  test("passes a place on if the context of its caller ends while it is handed over", async () => {
    const gate = admission({ concurrency: 1 });
    const first = held(gate);
    using leaves = withCancel(background());
    const left = outcome(gate, leaves);
    const next = outcome(gate, background());
    await flush();
    first.release();
    for (let hops = 0; gate.waiting === 2 && hops < 20; hops++) await Promise.resolve();
    leaves.cancel();
    expect(await left).toBe(leaves.err());
    expect(await next).toBe("ran");
    expect(gate.running).toBe(0);
  });

  test("rejects with the context's error, and not with an OverloadedError, if the context is done", async () => {
    const gate = admission({ concurrency: 1, maxQueue: 0 });
    held(gate);
    const ctx = withCancel(background());
    ctx.cancel();
    expect(await outcome(gate, ctx)).toBe(ctx.err());
  });

  test("refuses callers beyond `maxQueue`, with the predicted wait as `retryAfter`", async () => {
    const gate = admission({ concurrency: 1, maxQueue: 2 });
    await teach(gate, 2_000);
    const first = held(gate);
    const waiting = [outcome(gate, background()), outcome(gate, background())];
    await flush();
    const error = (await outcome(gate, background())) as OverloadedError;
    expect(error).toMatchObject({ why: "the queue is full (2 waiting)" });
    expect(error.retryAfter).toBe(6); // two wait and one runs, 2 s each
    first.release();
    await Promise.all(waiting);
  });

  test("never sets `retryAfter` to more than a minute", async () => {
    const gate = admission({ concurrency: 1, maxQueue: 0 });
    await teach(gate, HOUR, 1);
    const first = held(gate);
    expect(await outcome(gate, background())).toMatchObject({ retryAfter: 60 });
    first.release();
    await first.done;
  });

  test("records waits and runs in the ledger, and a stopped run leaves a receipt", async () => {
    const gate = admission({ concurrency: 1, name: "GET /report" });
    const ledger = withLedger(withCancel(background()));
    using ctx = withCancel(ledger);
    const kinds = () => working(ledger).map(({ kind, what }) => [kind, what]);
    const first = outcome(gate, ctx, HOUR);
    await flush();
    const second = outcome(gate, ctx, HOUR);
    await flush();
    expect(kinds()).toEqual([
      ["admission.run", "GET /report"],
      ["admission.wait", "GET /report"],
    ]);
    ctx.cancel();
    expect([await first, await second]).toEqual([ctx.err(), ctx.err()]);
    expect(kinds()).toEqual([]);
    expect((await stopped(ledger)).map(({ kind, state }) => [kind, state])).toContainEqual([
      "admission.run",
      "stopped",
    ]);
  });
});

test("an OverloadedError has the status 503, by itself and as a cause", () => {
  const error = new OverloadedError(7, "because");
  expect([statusOf(error), statusOf(new Error("x", { cause: error }))]).toEqual([503, 503]);
});

test.each([
  [{ concurrency: 0 }, "takes as concurrency a whole number of at least 1, got number 0"],
  [{ concurrency: 1.5 }, "got number 1.5"],
  [{ concurrency: 2 ** 53 }, "admission(options) takes as concurrency a whole number"],
  [{ maxQueue: -1 }, "takes as maxQueue a whole number of at least 0, got number -1"],
  [{ maxQueue: Number.NaN }, "got number NaN"],
  [{ cost: -1 }, "cost is a finite number of milliseconds from 0 on, got number -1"],
  [{ cost: Infinity }, "leave it out if it is not known"],
])("`admission` rejects %j with a RangeError that says what to pass", (options, words) => {
  expect(() => admission(options as never)).toThrow(RangeError);
  expect(() => admission(options as never)).toThrow(words);
});

test("`admission` rejects a concurrency that is not a number with a TypeError", () => {
  const message =
    'admission(options) takes a number as concurrency, got the string "4"; pass a number';
  expect(() => admission({ concurrency: "4" } as never)).toThrow(new TypeError(message));
});

test("`admission` rejects an unknown option and names the known ones", () => {
  expect(() => admission({ concurency: 2 } as never)).toThrow(
    /unknown option "concurency"; its options are: concurrency, maxQueue, cost, name$/,
  );
});

test("`run` rejects a first argument that is not a context and a second one that is not a function", async () => {
  const gate = admission();
  await expect(gate.run("ctx" as never, () => 1)).rejects.toThrow(
    'run needs a Context as its first argument, got the string "ctx"; write run(ctx, fn)',
  );
  await expect(gate.run(background(), 7 as never)).rejects.toThrow("run needs a function to run");
});

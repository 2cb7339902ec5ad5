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

/** Work of that length; says "ran", or why it did not, or what became of it. */
async function outcome(gate: Admission, ctx: Context, ms = 0): Promise<unknown> {
  return await gate
    .run(ctx, (own) => sleep(own, ms).then(() => "ran"))
    .catch((err: unknown) => err);
}

/** As above, and time passes until it is over. */
async function over(gate: Admission, ctx: Context, ms: number): Promise<unknown> {
  const all = outcome(gate, ctx, ms);
  await flush();
  clock.advance(ms);
  return await all;
}

async function teach(gate: Admission, ms: number, times = 5): Promise<void> {
  for (let i = 0; i < times; i++) expect(await over(gate, background(), ms)).toBe("ran");
}

const refused = expect.any(OverloadedError) as unknown;

describe("what is known of the cost decides", () => {
  test("a gate that knows nothing lets everything in", async () => {
    expect(await outcome(admission(), budget(1))).toBe("ran");
  });

  test("work that has less time left than it costs does not begin", async () => {
    const gate = admission({ name: "GET /report" });
    await teach(gate, 100);
    expect(gate.cost).toBe(100);
    let began = false;
    const answer = gate.run(budget(99), () => (began = true));
    await expect(answer).rejects.toMatchObject({
      name: "OverloadedError",
      code: "ERR_OVERLOADED",
      message: "refused before it started",
      why: "GET /report, 99 ms left for work of 100 ms",
      retryAfter: 1,
    });
    expect(began).toBe(false);
    expect(await outcome(gate, budget(101))).toBe("ran");
  });

  test("a cost that is given is where learning begins", async () => {
    const gate = admission({ cost: 500 });
    expect(await outcome(gate, budget(499))).toEqual(refused);
    await teach(gate, 100, 6);
    expect(gate.cost).toBe(100);
  });

  test("no deadline is time enough for everything", async () => {
    expect(await outcome(admission({ cost: HOUR }), background())).toBe("ran");
  });

  test("a failure is no cost, and passes untouched", async () => {
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

  test("what its context stops costs more than it ran, and a client who leaves early says nothing", async () => {
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

  test("a limit of the work's own counts as that of its context", async () => {
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

  test("a response that was sent ends its context, and is whole", async () => {
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

describe("it finds its way back", () => {
  test("what nobody could put to the test fades, and one who succeeds puts it right", async () => {
    const gate = admission({ cost: 600 });
    expect(await outcome(gate, budget(300))).toEqual(refused);
    clock.advance(999);
    expect(await outcome(gate, budget(300))).toEqual(refused);
    clock.advance(2);
    expect(await over(gate, budget(300), 10)).toBe("ran");
    expect(gate.cost).toBe(10);
    expect(await outcome(gate, budget(20))).toBe("ran");
  });

  test("while one is being tried, the others are refused as before", async () => {
    const gate = admission({ cost: 600 });
    clock.advance(1_001);
    const tried = outcome(gate, budget(300), 100);
    await flush();
    expect(await outcome(gate, budget(300))).toEqual(refused);
    clock.advance(100);
    expect(await tried).toBe("ran");
  });

  test("one who fails in time confirms what was known", async () => {
    const gate = admission({ cost: 600 });
    clock.advance(1_001);
    const ctx = budget(300);
    expect(await over(gate, ctx, 300)).toBe(ctx.err());
    expect(gate.cost).toBe(600);
    expect(await outcome(gate, budget(300))).toEqual(refused);
  });

  test("a place that somebody will not leave keeps nobody else from trying", async () => {
    const gate = admission({ cost: 600, concurrency: 2 });
    void gate.run(background(), () => new Promise(() => undefined));
    await flush();
    clock.advance(1_001);
    expect(await outcome(gate, budget(300))).toBe("ran");
  });

  test("whatever has happened, who has any time left gets in at last", async () => {
    const event = fc.record({
      kind: fc.constantFrom("whole", "stopped", "failed"),
      ms: fc.integer({ min: 0, max: 100_000 }),
      pause: fc.integer({ min: 0, max: 5_000 }),
    });
    const history = fc.array(event, { maxLength: 80 });
    const cost = fc.option(fc.integer({ min: 0, max: 100_000 }), { nil: undefined });
    await fc.assert(
      fc.asyncProperty(history, cost, fc.integer({ min: 1, max: 1_000 }), async (past, at, ms) => {
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
        // As long as it may take: one half-life for each halving from what is believed to what is left.
        const believed = gate.cost ?? 0;
        const halvings = Math.max(0, Math.log2(believed / ms));
        clock.advance(Math.ceil(halvings * Math.max(1_000, believed)) + 1);
        expect(await outcome(gate, budget(ms))).toBe("ran");
        expect(gate.running + gate.waiting).toBe(0);
      }),
      { numRuns: 200 },
    );
  });
});

describe("places", () => {
  /** Work that goes on until it is told. */
  function held(gate: Admission, ctx: Context = background()) {
    let release = (): void => undefined;
    const done = gate.run(ctx, () => new Promise<void>((resolve) => (release = resolve)));
    done.catch(() => undefined);
    return { done, release: () => release() };
  }

  test("first come, first served, and no more at once than there are places", async () => {
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

  test("who cannot be served in time is told so at the door", async () => {
    const gate = admission({ concurrency: 1 });
    await teach(gate, 100);
    const first = held(gate);
    await flush();
    const second = outcome(gate, budget(HOUR)); // is served after 100 ms, as far as is known
    expect(await outcome(gate, budget(499))).toMatchObject({
      why: "499 ms left for a wait of 200 ms, twice, and work of 100 ms",
    });
    const third = outcome(gate, budget(501));
    await flush();
    expect(gate.waiting).toBe(2);
    first.release();
    expect([await second, await third]).toEqual(["ran", "ran"]);
  });

  test("whose turn comes too late is refused then, and the next is served", async () => {
    const gate = admission({ concurrency: 1 });
    await teach(gate, 100);
    const first = held(gate);
    const late = outcome(gate, budget(350));
    const next = outcome(gate, budget(HOUR));
    await flush();
    clock.advance(300); // it holds its place for longer than anybody could know
    first.release();
    expect([await late, await next]).toEqual([refused, "ran"]);
  });

  test("whose context ends leaves the queue with its error, and takes no place", async () => {
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

  test("one whose context ends as its place is given passes it on", async () => {
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

  test("a context that is done comes not even to the door", async () => {
    const gate = admission({ concurrency: 1, maxQueue: 0 });
    held(gate);
    const ctx = withCancel(background());
    ctx.cancel();
    expect(await outcome(gate, ctx)).toBe(ctx.err());
  });

  test("more than may wait are refused, and told when to come again", async () => {
    const gate = admission({ concurrency: 1, maxQueue: 2 });
    await teach(gate, 2_000);
    const first = held(gate);
    const waiting = [outcome(gate, background()), outcome(gate, background())];
    await flush();
    const error = (await outcome(gate, background())) as OverloadedError;
    expect(error).toMatchObject({ why: "2 are waiting" });
    expect(error.retryAfter).toBe(6); // two wait and one runs, 2 s each
    first.release();
    await Promise.all(waiting);
  });

  test("nobody is told to come again after more than a minute", async () => {
    const gate = admission({ concurrency: 1, maxQueue: 0 });
    await teach(gate, HOUR, 1);
    const first = held(gate);
    expect(await outcome(gate, background())).toMatchObject({ retryAfter: 60 });
    first.release();
    await first.done;
  });

  test("what waits and what runs is in the ledger, and a stop leaves a receipt", async () => {
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

test("a refusal is 503, by itself and as a cause", () => {
  const error = new OverloadedError(7, "because");
  expect([statusOf(error), statusOf(new Error("x", { cause: error }))]).toEqual([503, 503]);
});

test.each([
  [{ concurrency: 0 }, "concurrency is a whole number from 1 on, or Infinity, got number 0"],
  [{ concurrency: 1.5 }, "got number 1.5"],
  [{ concurrency: "4" }, 'got the string "4"'],
  [{ maxQueue: -1 }, "maxQueue is a whole number from 0 on, or Infinity, got number -1"],
  [{ maxQueue: Number.NaN }, "got number NaN"],
  [{ cost: -1 }, "cost is a finite number of milliseconds from 0 on, got number -1"],
  [{ cost: Infinity }, "leave it out if it is not known"],
])("%j is refused in words", (options, words) => {
  expect(() => admission(options as never)).toThrow(RangeError);
  expect(() => admission(options as never)).toThrow(words);
});

test("what is no context and what is no function is refused in words", async () => {
  const gate = admission();
  await expect(gate.run("ctx" as never, () => 1)).rejects.toThrow(
    'run needs a Context as its first argument, got the string "ctx"; write run(ctx, fn)',
  );
  await expect(gate.run(background(), 7 as never)).rejects.toThrow("run needs a function to run");
});

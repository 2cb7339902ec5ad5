import { AsyncLocalStorage } from "node:async_hooks";
import { describe, expect, expectTypeOf, test } from "vitest";
import { collected, flush, heap, reported, runProgram } from "../../test/support.ts";
import { controlled, outcome } from "../../test/support/controlled.ts";
import { scopeOf } from "../core/foreign.ts";
import { isWatched } from "../core/tree.ts";
import {
  background,
  isDeadlineExceeded,
  key,
  remaining,
  SingleFlight,
  startWork,
  stopped,
  withCancel,
  withLedger,
  withTimeout,
  withValue,
  working,
  type ContextError,
} from "../index.ts";
import { ManualClock, useClock } from "../testing/index.ts";

describe("SingleFlight", () => {
  test("runs the task once for all calls of the same key at the same time, and caches nothing", async () => {
    const flights = new SingleFlight<string, string>();
    const { runs, task } = controlled();
    const calls = ["a", "a", "b"].map((key) => flights.do(background(), key, task));
    expect(runs).toHaveLength(2); // the task begins before do() returns
    runs[0]!.succeed("of a");
    runs[1]!.succeed("of b");
    expect(await Promise.all(calls)).toEqual(["of a", "of a", "of b"]);
    void flights.do(background(), "a", task);
    expect(runs).toHaveLength(3);
  });

  test("compares keys as a Map does", () => {
    const flights = new SingleFlight<unknown, string>();
    const { runs, task } = controlled();
    const object = {};
    for (const key of [object, object, {}, NaN, NaN, undefined, null])
      void flights.do(background(), key, task);
    expect(runs).toHaveLength(5);
  });

  test("rejects all calls with the error of the task, also if the task throws or is no promise", async () => {
    const flights = new SingleFlight<string, string>();
    const { runs, task } = controlled();
    const failure = new Error("failed");
    const calls = [1, 2].map(() => flights.do(background(), "a", task));
    runs[0]!.fail(failure);
    for (const call of calls) await expect(call).rejects.toBe(failure);
    const thrown = flights.do(background(), "a", () => {
      throw failure;
    });
    await expect(thrown).rejects.toBe(failure);
    const nothing = flights.do(background(), "a", task);
    runs[1]!.fail(undefined);
    await expect(nothing).rejects.toBeUndefined();
    const thenable = { then: (resolve: (value: string) => void) => resolve("then") };
    await expect(flights.do(background(), "a", () => thenable as never)).resolves.toBe("then");
    await expect(flights.do(background(), "a", () => "plain")).resolves.toBe("plain");
  });

  test("gives the task the values of the first call, a ledger of its own, and no deadline", async () => {
    const K = key<string>("k");
    const flights = new SingleFlight<string, string>();
    const { runs, task } = controlled();
    const callers = ["first", "second"].map((value) =>
      withLedger(withTimeout(withValue(background(), K, value), 1_000)),
    );
    for (const ctx of callers) void flights.do(ctx, "a", task);
    const { ctx, succeed } = runs[0]!;
    expect(ctx.value(K)).toBe("first");
    expect(ctx.deadline()).toBeUndefined();
    expect(remaining(ctx)).toBe(Infinity);
    startWork(ctx, "test");
    expect(working(ctx).map(({ kind }) => kind)).toEqual(["test"]);
    expect(callers.map((caller) => working(caller).map(({ kind }) => kind))).toEqual([
      ["singleflight"],
      ["singleflight"],
    ]);
    expect(String(ctx)).toContain("SingleFlight");
    succeed("");
    await flush();
    expect(ctx.err()).toBeDefined();
    expect(callers[0]!.err()).toBeUndefined();
    expect((await stopped(ctx, { within: 0 })).map(({ reason }) => reason)).toEqual(["finished"]);
  });

  test("a call whose context ends rejects with its own error, and the flight goes on for the others", async () => {
    const flights = new SingleFlight<string, string>();
    const { runs, task } = controlled();
    const ctxs = [1, 2].map(() => withCancel(background()));
    const [leaving, staying] = ctxs.map((ctx) => outcome(flights.do(ctx, "a", task)));
    ctxs[0]!.cancel(new Error("left"));
    await flush();
    expect(leaving).toEqual({ error: ctxs[0]!.err() });
    expect(staying).toEqual({});
    expect(runs[0]!.ctx.err()).toBeUndefined();
    runs[0]!.succeed("result");
    await flush();
    expect(staying).toEqual({ value: "result" });
  });

  test("the last call that leaves cancels the flight, with the error of its own context", async () => {
    const flights = new SingleFlight<string, string>();
    const { runs, task } = controlled();
    const ctxs = [1, 2, 3].map(() => withCancel(background()));
    const calls = ctxs.map((ctx) => outcome(flights.do(ctx, "a", task)));
    const { signal } = runs[0]!.ctx;
    for (const i of [2, 0]) ctxs[i]!.cancel();
    expect(signal.aborted).toBe(false);
    ctxs[1]!.cancel(new Error("the last"));
    expect(signal.reason).toBe(ctxs[1]!.err());
    expect(runs[0]!.ctx.err()).toBe(ctxs[1]!.err());
    await flush();
    expect(calls).toEqual(ctxs.map((ctx) => ({ error: ctx.err() })));
  });

  test("the context of the flight is done when the last deadline has passed, by the clock alone", async () => {
    const clock = new ManualClock();
    using _ = useClock(clock);
    const flights = new SingleFlight<string, string>();
    const seen: [number, ContextError | undefined][] = [];
    const ctxs = [10, 30, 20].map((ms) => withTimeout(background(), ms));
    const calls = ctxs.map((ctx) =>
      flights.do(ctx, "a", async (ctx) => {
        while (ctx.err() === undefined) {
          clock.block(5); // the loop never lets a timer fire
          await Promise.resolve();
          seen.push([clock.now(), ctx.err()]);
        }
        throw ctx.err()!;
      }),
    );
    for (const [i, call] of calls.entries()) {
      const error: unknown = await call.catch((err: unknown) => err);
      expect(error).toBe(ctxs[i]!.err());
      expect(isDeadlineExceeded(error)).toBe(true);
    }
    expect(seen.map(([at]) => at)).toEqual([5, 10, 15, 20, 25, 30]);
    expect(seen.filter(([, err]) => err !== undefined)).toEqual([[30, ctxs[1]!.err()]]);
    expect(clock.timers).toBe(0);
  });

  test("the flight never ends by itself while a call has a context that cannot end", async () => {
    const flights = new SingleFlight<string, string>();
    const { runs, task } = controlled();
    const ctx = withCancel(background());
    void flights.do(ctx, "a", task).catch(() => undefined);
    const staying = outcome(flights.do(background(), "a", task));
    ctx.cancel();
    await flush();
    expect(runs[0]!.ctx.err()).toBeUndefined();
    runs[0]!.succeed("result");
    await flush();
    expect(staying).toEqual({ value: "result" });
  });

  test("a call that waits when the result arrives gets it, also if its deadline has passed unnoticed", async () => {
    const clock = new ManualClock();
    using _ = useClock(clock);
    const flights = new SingleFlight<string, string>();
    const { runs, task } = controlled();
    const call = flights.do(withTimeout(background(), 10), "a", task);
    clock.block(20);
    runs[0]!.succeed("result");
    await expect(call).resolves.toBe("result");
    expect(isDeadlineExceeded(runs[0]!.ctx.err())).toBe(true);
  });

  test("a call whose deadline has passed unnoticed rejects with its own error if the task fails", async () => {
    const clock = new ManualClock();
    using _ = useClock(clock);
    const flights = new SingleFlight<string, string>();
    const { runs, task } = controlled();
    const ctxs = [10, 20].map((ms) => withTimeout(background(), ms));
    const calls = ctxs.map((ctx) => outcome(flights.do(ctx, "a", task)));
    clock.block(15);
    const failure = new Error("failed");
    runs[0]!.fail(failure);
    await flush();
    expect(calls[1]).toEqual({ error: failure });
    expect(calls[0]?.error).toBe(ctxs[0]!.err());
  });

  test("a call under a context that is done begins nothing and does not join", async () => {
    const clock = new ManualClock();
    using _ = useClock(clock);
    const flights = new SingleFlight<string, string>();
    const { runs, task } = controlled();
    const canceled = withCancel(background());
    canceled.cancel();
    const late = withTimeout(background(), 10);
    clock.block(10);
    for (const ctx of [canceled, late]) {
      const ledger = withLedger(ctx);
      await expect(flights.do(ledger, "a", task)).rejects.toBe(ctx.err());
      expect(await stopped(ledger)).toEqual([]);
    }
    expect(runs).toHaveLength(0);
    const ctx = withCancel(background());
    void flights.do(ctx, "a", task).catch(() => undefined);
    await expect(flights.do(canceled, "a", task)).rejects.toBe(canceled.err());
    ctx.cancel();
    expect(runs[0]!.ctx.err()).toBe(ctx.err());
  });

  test("a call that meets a canceled flight waits until it has ended, and then starts another", async () => {
    const flights = new SingleFlight<string, string>();
    const { runs, task } = controlled();
    const first = withCancel(background());
    void flights.do(first, "a", task).catch(() => undefined);
    first.cancel();
    const ctxs = [1, 2, 3].map(() => withCancel(background()));
    const calls = ctxs.map((ctx) => outcome(flights.do(ctx, "a", task)));
    await flush();
    ctxs[0]!.cancel(); // waits only for the end of the canceled flight
    await flush();
    expect(calls).toEqual([{ error: ctxs[0]!.err() }, {}, {}]);
    expect(runs).toHaveLength(1);
    runs[0]!.succeed("of the canceled flight");
    await flush();
    expect(runs).toHaveLength(2);
    expect(calls.slice(1)).toEqual([{}, {}]);
    ctxs[1]!.cancel();
    expect(runs[1]!.ctx.err()).toBeUndefined();
    runs[1]!.succeed("new");
    await flush();
    expect(calls[2]).toEqual({ value: "new" });
  });

  test("forget makes the next call start a flight, while the other goes on and removes nothing at its end", async () => {
    const flights = new SingleFlight<string, string>();
    const { runs, task } = controlled();
    const old = outcome(flights.do(background(), "a", task));
    flights.forget("a");
    flights.forget("unknown");
    const next = outcome(flights.do(background(), "a", task));
    expect(runs).toHaveLength(2);
    runs[0]!.succeed("old");
    await flush();
    expect([old, next]).toEqual([{ value: "old" }, {}]);
    const joined = outcome(flights.do(background(), "a", task));
    expect(runs).toHaveLength(2);
    runs[1]!.succeed("next");
    await flush();
    expect([next, joined]).toEqual([{ value: "next" }, { value: "next" }]);
  });

  test("runs the task in the async context of the first call", async () => {
    const storage = new AsyncLocalStorage<string>();
    const flights = new SingleFlight<string, string | undefined>();
    const task = async () => {
      await flush();
      return storage.getStore();
    };
    const calls = ["first", "second"].map((store) =>
      storage.run(store, async () => [
        await flights.do(background(), "a", task),
        storage.getStore(),
      ]),
    );
    expect(await Promise.all(calls)).toEqual([
      ["first", "first"],
      ["first", "second"],
    ]);
  });

  test("refuses wrong arguments before anything begins", async () => {
    const flights = new SingleFlight<string, number>();
    await expect(flights.do(undefined as never, "a", () => 1)).rejects.toThrow(
      /^cannot create context from nil parent: SingleFlight\.do got undefined/,
    );
    await expect(flights.do(background(), "a", 1 as never)).rejects.toThrow(
      "SingleFlight.do takes a function, got number 1; pass a task: (ctx) => …",
    );
    await expect(flights.do(background(), "a", () => 1)).resolves.toBe(1);
  });

  test("has the types of its key and its result", () => {
    const flights = new SingleFlight<number, Date>();
    expectTypeOf<Parameters<typeof flights.do>[1]>().toEqualTypeOf<number>();
    expectTypeOf(flights.do(background(), 1, () => new Date())).toEqualTypeOf<Promise<Date>>();
    expectTypeOf(flights.do(background(), 1, async () => new Date())).toEqualTypeOf<
      Promise<Date>
    >();
    // @ts-expect-error the result has another type
    void flights.do(background(), 1, () => "date");
  });
});

describe("a SingleFlight leaves nothing behind:", () => {
  test("a flight that fails after all calls have left is no unhandled rejection", async () => {
    const errors = await reported(async () => {
      const flights = new SingleFlight<string, string>();
      const { runs, task } = controlled();
      const ctx = withCancel(background());
      const call = outcome(flights.do(ctx, "a", task));
      ctx.cancel();
      await flush();
      expect(call).toEqual({ error: ctx.err() });
      runs[0]!.fail(new Error("too late"));
    });
    expect(errors).toEqual([]);
  });

  test("the receipt of a wait says that it stopped when its context ended", async () => {
    const clock = new ManualClock();
    using _ = useClock(clock);
    const flights = new SingleFlight<string | object, string>();
    const { runs, task } = controlled();
    const left = withTimeout(withLedger(background()), 10);
    const ctx = withLedger(left);
    const object = withLedger(background());
    void flights.do(ctx, "user 7", task).catch(() => undefined);
    void flights.do(object, {}, task);
    expect(working(ctx)).toEqual([expect.objectContaining({ what: "user 7" })]);
    expect(working(object)[0]?.what).toBeUndefined();
    clock.advance(10);
    expect(await stopped(ctx)).toEqual([
      {
        ...{ kind: "singleflight", what: "user 7", state: "stopped", reason: "deadline" },
        ...{ ran: 10, after: 0 },
      },
    ]);
    runs[1]!.succeed("");
    await flush();
    expect([working(object), await stopped(object)]).toEqual([[], []]);
  });

  test.each(["result", "failure", "leaving"])(
    "a context is not watched after its wait, which ended with a %s",
    async (how) => {
      const clock = new ManualClock();
      using _ = useClock(clock);
      const flights = new SingleFlight<string, string>();
      const { runs, task } = controlled();
      const parent = withTimeout(background(), 1_000);
      const own = withCancel(parent);
      for (const ctx of [own, parent]) void flights.do(ctx, "a", task).catch(() => undefined);
      void runs[0]!.ctx.signal;
      if (how === "leaving") {
        own.cancel();
        await flush();
        expect(isWatched(scopeOf(parent)!)).toBe(true);
      }
      if (how === "failure") runs[0]!.fail(new Error("failed"));
      else runs[0]!.succeed("result");
      await flush();
      expect(clock.timers).toBe(0);
      for (const ctx of [own, parent]) expect(isWatched(scopeOf(ctx)!)).toBe(false);
    },
  );

  test("a context and a SingleFlight do not grow with 20,000 uses", async () => {
    const flights = new SingleFlight<number, number>();
    const ctx = withLedger(withTimeout(background(), 1e9));
    const use = async (n: number): Promise<void> => {
      for (let i = 0; i < n; i++) await flights.do(ctx, i, () => i);
    };
    await use(1_000);
    const before = heap();
    await use(20_000);
    expect(await collected(() => heap() - before < 500_000)).toBe(true);
  });

  test.each(["runs", "is canceled"])(
    "a flight that %s does not grow with 20,000 calls that join and leave",
    async (how) => {
      const flights = new SingleFlight<string, string>();
      const { runs, task } = controlled();
      const first = withCancel(background());
      void flights.do(first, "a", task).catch(() => undefined);
      void runs[0]!.ctx.signal;
      if (how === "is canceled") first.cancel();
      const use = async (n: number): Promise<void> => {
        for (let i = 0; i < n; i++) {
          const ctx = withCancel(background());
          const call = flights.do(ctx, "a", task);
          ctx.cancel();
          await call.catch(() => undefined);
        }
      };
      await use(1_000);
      const before = heap();
      await use(20_000);
      expect(await collected(() => heap() - before < 500_000)).toBe(true);
      expect(runs).toHaveLength(1);
    },
  );

  test("a flight and its waits do not keep the process alive", async () => {
    const { code, stdout, took } = await runProgram(`
      import { background, SingleFlight, withTimeout } from BUNDLE;
      const flights = new SingleFlight();
      const task = (ctx) => new Promise(() => void ctx.signal);
      for (const ms of [60_000, 90_000]) void flights.do(withTimeout(background(), ms), "a", task);
      console.log("last line");
    `);
    expect([code, stdout]).toEqual([0, "last line\n"]);
    expect(took).toBeLessThan(50_000);
  });
});

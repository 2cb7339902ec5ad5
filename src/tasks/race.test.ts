/** race and any. */
import { describe, expect, expectTypeOf, test } from "vitest";
import { flush, reported } from "../../test/support.ts";
import { foreignContext } from "../../test/support/foreign-context.ts";
import { Deferred } from "../../test/support/reports.ts";
import {
  afterFunc,
  any,
  background,
  cause,
  key,
  race,
  sleep,
  Superseded,
  withCancel,
  withTimeout,
  withValue,
  type Context,
  type Task,
} from "../index.ts";
import { ManualClock, useClock } from "../testing/index.ts";

const verbs = { race, any };

describe.each(["race", "any"] as const)("%s", (name) => {
  const verb = verbs[name];

  test("returns the result of the first task that succeeds", async () => {
    const slow = new Deferred<string>();
    const running = verb(background(), [() => slow.promise, async () => flush().then(() => 2)]);
    await flush();
    await flush();
    slow.resolve("late");
    await expect(running).resolves.toBe(2);
  });

  test("cancels the other tasks with a Superseded as the cause, and waits until they have ended", async () => {
    const cleanup = new Deferred<undefined>();
    const log: unknown[] = [];
    const loser: Task<never> = async (ctx) => {
      await sleep(ctx, 60_000).catch((err: unknown) => log.push((err as Error).cause));
      await cleanup.promise;
      log.push("cleaned up");
      throw new Error("dropped");
    };
    const running = verb(background(), [loser, async () => "won", loser]).then((won) =>
      log.push(won),
    );
    await flush();
    expect(log).toEqual([expect.any(Superseded), log[0]]);
    expect(log[0]).toMatchObject({
      name: "Superseded",
      code: "ERR_SUPERSEDED",
      message: "another task was first",
      stack: "Superseded: another task was first",
    });
    cleanup.resolve(undefined);
    await running;
    expect(log.slice(2)).toEqual(["cleaned up", "cleaned up", "won"]);
  });

  test("drops what the other tasks throw, and reports no unhandled rejection", async () => {
    const late = new Deferred<never>();
    expect(
      await reported(async () => {
        const running = verb(background(), [() => late.promise, async () => "won"]);
        await flush();
        late.reject(new Error("late"));
        expect(await running).toBe("won");
      }),
    ).toEqual([]);
  });

  test("the context of the winner counts as finished, and those of the others as canceled", async () => {
    const seen: Context[] = [];
    await verb(background(), [
      async (ctx) => void seen.push(ctx),
      async (ctx) => {
        seen.push(ctx);
        await sleep(ctx, 60_000);
      },
    ]);
    const kept: unknown[] = [];
    for (const ctx of seen) afterFunc(ctx, () => void kept.push(cause(ctx)));
    await flush();
    expect(kept).toEqual([seen[0]?.err(), expect.any(Superseded)]);
  });

  test("a task runs with the values and the deadline of the context", async () => {
    const Name = key<string>("name");
    const ctx = withTimeout(withValue(background(), Name, "n"), 60_000);
    const seen = await verb(ctx, [async (ctx) => [ctx.value(Name), ctx.deadline()] as const]);
    expect(seen).toEqual(["n", ctx.deadline()]);
    ctx.cancel();
  });

  test("starts no task if the context is done, and rejects with its error", async () => {
    const ctx = withCancel(background());
    ctx.cancel();
    let started = 0;
    const running = verb(ctx, [() => ++started, () => ++started]);
    await expect(running).rejects.toBe(ctx.err());
    expect(started).toBe(0);
  });

  test("starts no task after the end of the context, even if only the clock says so", async () => {
    const clock = new ManualClock();
    using _ = useClock(clock);
    const ctx = withTimeout(background(), 10);
    const started: number[] = [];
    const running = verb(ctx, [
      async (ctx) => {
        started.push(0);
        clock.block(10);
        await sleep(ctx, 1);
      },
      () => started.push(1),
    ]);
    await expect(running).rejects.toBe(ctx.err());
    expect(started).toEqual([0]);
  });

  test("rejects with the context's error when the context ends and the tasks stop", async () => {
    const ctx = withCancel(background());
    const running = verb(ctx, [(ctx) => sleep(ctx, 60_000), (ctx) => sleep(ctx, 60_000)]);
    ctx.cancel();
    await expect(running).rejects.toBe(ctx.err());
  });

  test("returns the result of a task that succeeds although the context has ended", async () => {
    const ctx = withCancel(background());
    const task = new Deferred<number>();
    const running = verb(ctx, [() => task.promise]);
    ctx.cancel();
    task.resolve(1);
    await expect(running).resolves.toBe(1);
  });

  test("works with a foreign context", async () => {
    const ctx = withCancel(background());
    expect(await verb(foreignContext(ctx), [async () => 1])).toBe(1);
    const running = verb(foreignContext(ctx), [(ctx) => sleep(ctx, 60_000)]);
    ctx.cancel();
    await expect(running).rejects.toBe(ctx.err());
  });

  test("awaits thenables", async () => {
    const thenable: PromiseLike<number> = {
      then: (done) => Promise.resolve(7).then(done),
    };
    expect(await verb(background(), [() => thenable])).toBe(7);
  });

  test("leaves no watch and no timer on its context, and does not read its signal", async () => {
    const clock = new ManualClock();
    using _ = useClock(clock);
    let reads = 0;
    const ctx = withTimeout(background(), 60_000);
    const counted = Object.create(ctx, { signal: { get: () => (reads++, ctx.signal) } }) as Context;
    await verb(counted, [async () => 1, (ctx) => sleep(ctx, 1_000)]);
    expect([reads, clock.timers]).toEqual([0, 0]);
  });

  test("refuses what is not an array of functions before a task starts", async () => {
    let started = 0;
    const tasks = [() => ++started, 5] as never;
    await expect(verb(background(), tasks)).rejects.toThrow(
      new TypeError(
        `${name} takes a function, got number 5; pass functions that start the tasks: (ctx) => …`,
      ),
    );
    await expect(verb(background(), "tasks" as never)).rejects.toThrow(TypeError);
    await expect(verb(undefined as never, [])).rejects.toThrow(TypeError);
    expect(started).toBe(0);
  });
});

describe("race", () => {
  test("rejects with the error of the first task that settles, when the others have ended", async () => {
    const failure = new Error("first");
    const cleanup = new Deferred<undefined>();
    let settled = false;
    const running = race(background(), [
      async () => Promise.reject(failure),
      () => cleanup.promise.then(() => "a later success"),
    ]).finally(() => (settled = true));
    running.catch(() => undefined);
    await flush();
    expect(settled).toBe(false);
    cleanup.resolve(undefined);
    await expect(running).rejects.toBe(failure);
  });

  test("rejects if the first task to settle rejects with undefined", async () => {
    const running = race(background(), [
      async () => {
        throw undefined; // eslint-disable-line @typescript-eslint/only-throw-error -- it counts as a failure
      },
      (ctx) => sleep(ctx, 60_000),
    ]);
    const outcome = await running.then(
      () => "resolved",
      (error: unknown) => [error],
    );
    expect(outcome).toEqual([undefined]);
  });

  test("starts no task behind one that throws before its first await", async () => {
    let started = 0;
    const running = race(background(), [
      () => {
        throw new Error("at once");
      },
      () => ++started,
    ]);
    await expect(running).rejects.toThrow("at once");
    expect(started).toBe(0);
  });

  test("refuses an empty list, because it would never settle", async () => {
    await expect(race(background(), [])).rejects.toThrow(
      new RangeError("race got no tasks, and would never settle; pass at least one task"),
    );
  });

  test("its result has the type of one of its tasks", async () => {
    const result = race(background(), [async () => 1, () => "two", () => Promise.resolve(true)]);
    expectTypeOf(result).toEqualTypeOf<Promise<number | string | boolean>>();
    const many: Task<Date>[] = [() => new Date(0)];
    expectTypeOf(race(background(), many)).toEqualTypeOf<Promise<Date>>();
    const mapped = race(
      background(),
      ["a"].map((text) => async (ctx) => (ctx.err() === undefined ? text : "")),
    );
    expectTypeOf(mapped).toEqualTypeOf<Promise<string>>();
    await Promise.all([result, mapped]);
  });
});

describe("any", () => {
  test("goes on after a failure, and returns the success of a later task", async () => {
    const result = await any(background(), [
      () => {
        throw new Error("at once");
      },
      async () => Promise.reject(new Error("later")),
      async () => flush().then(() => "won"),
    ]);
    expect(result).toBe("won");
  });

  test("rejects with the errors in the order of the tasks if none succeeds", async () => {
    const [a, b, c] = [new Error("a"), undefined, new Error("c")];
    const running = any(background(), [
      async () => flush().then(() => Promise.reject(a)),
      // eslint-disable-next-line @typescript-eslint/prefer-promise-reject-errors -- as above
      async () => Promise.reject(b),
      () => {
        throw c;
      },
    ]);
    const error = (await running.catch((error: unknown) => error)) as AggregateError;
    expect(error).toBeInstanceOf(AggregateError);
    expect(error.errors).toEqual([a, b, c]);
    expect(error.message).toBe("all 3 tasks of any failed");
  });

  test("rejects an empty list with an AggregateError without errors, as Promise.any does", async () => {
    const error = (await any(background(), []).catch((error: unknown) => error)) as AggregateError;
    expect(error).toBeInstanceOf(AggregateError);
    expect([error.errors, error.message]).toEqual([[], "any got no tasks"]);
    const ctx = withCancel(background());
    ctx.cancel();
    await expect(any(ctx, [])).rejects.toBe(ctx.err());
  });

  test("rejects with the context's error if no task succeeds and the context has ended", async () => {
    const ctx = withCancel(background());
    const running = any(ctx, [
      async () => Promise.reject(new Error("before the end")),
      async (ctx) =>
        sleep(ctx, 60_000).catch(() => Promise.reject(new Error("because of the end"))),
    ]);
    await flush();
    ctx.cancel();
    await expect(running).rejects.toBe(ctx.err());
  });

  test("its result has the type of one of its tasks", async () => {
    const result = any(background(), [async () => 1, () => "two"]);
    expectTypeOf(result).toEqualTypeOf<Promise<number | string>>();
    await result;
  });
});

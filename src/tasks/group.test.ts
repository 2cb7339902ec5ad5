import { AsyncLocalStorage } from "node:async_hooks";
import { describe, expect, expectTypeOf, test, vi } from "vitest";
import { flush, heap } from "../../test/support.ts";
import { Deferred, rejection, watchReports } from "../../test/support/reports.ts";
import { foreignContext } from "../../test/support/foreign-context.ts";
import { scopeOf } from "../core/foreign.ts";
import { isWatched } from "../core/tree.ts";
import {
  afterFunc,
  background,
  cause,
  group,
  key,
  sleep,
  withCancel,
  withTimeout,
  withValue,
  type Context,
  type Group,
} from "../index.ts";
import { ManualClock, useClock } from "../testing/index.ts";

describe("group", () => {
  watchReports();

  test("resolves with the result of its body when the body and all tasks have ended", async () => {
    const log: string[] = [];
    const task = new Deferred();
    const running = group(background(), async (g) => {
      void g.go(async () => {
        await task.promise;
        log.push("task");
      });
      await flush();
      log.push("body");
      return 1;
    }).then((value) => log.push(`group: ${value}`));
    await flush();
    expect(log).toEqual(["body"]);
    task.resolve();
    await running;
    expect(log).toEqual(["body", "task", "group: 1"]);
  });

  test("infers the types of its result and of each task's", async () => {
    const result = await group(background(), (g) => {
      expectTypeOf(g.go(() => 1)).toEqualTypeOf<Promise<number>>();
      expectTypeOf(g.go(async () => "a")).toEqualTypeOf<Promise<string>>();
      expectTypeOf(g.tryGo(async (ctx) => ctx)).toEqualTypeOf<Promise<Context> | undefined>();
      expectTypeOf(g.ctx).toEqualTypeOf<Context>();
      return { value: 1 };
    });
    expectTypeOf(result).toEqualTypeOf<{ value: number }>();
    expectTypeOf(await group(background(), async () => "a")).toEqualTypeOf<string>();
  });

  test("starts a task at once, under the group's context, and its promise has the result", async () => {
    const K = key<string>("k");
    const ctx = withTimeout(withValue(background(), K, "v"), 1e6);
    let inner: Context | undefined;
    await group(ctx, async (g) => {
      const handle = g.go((ctx) => {
        inner = ctx;
        const then = (resolve: (text: string) => void): void => {
          resolve("a thenable");
        };
        return { then } as unknown as PromiseLike<string>;
      });
      expect(inner).toBe(g.ctx);
      expect(g.ctx.value(K)).toBe("v");
      expect(g.ctx.deadline()).toEqual(ctx.deadline());
      expect(await handle).toBe("a thenable");
      expect(g.ctx.err()).toBeUndefined();
    });
    expect(inner?.err()).toMatchObject({ message: "context canceled" });
    expect(ctx.err()).toBeUndefined();
    expect(cause(inner!)).toBe(inner!.err()); // finished, without a cause
  });

  test.each([
    ["a rejection", async (failure: unknown) => Promise.reject(failure)], // eslint-disable-line @typescript-eslint/prefer-promise-reject-errors -- it is the subject
    [
      "a synchronous throw",
      (failure: unknown) => {
        throw failure;
      },
    ],
  ])("fails with the first failure of a task, if it is %s of anything", async (_how, fail) => {
    for (const failure of [new Error("failed"), undefined, "text", Object.freeze(new Error("f"))]) {
      const log: unknown[] = [];
      const running = group(background(), async (g) => {
        void g.go((ctx) => sleep(ctx, 1e6).catch((err: unknown) => log.push((err as Error).cause)));
        void g.go(() => fail(failure));
        await flush();
        log.push("body");
      });
      expect(await rejection(running)).toBe(failure);
      expect(log).toEqual([failure, "body"]);
    }
  });

  test("fails with what its body throws, and cancels and joins the tasks", async () => {
    const failure = new Error("body");
    const log: unknown[] = [];
    const running = group(background(), (g) => {
      void g.go(async (ctx) => {
        await sleep(ctx, 1e6).catch((err: unknown) => log.push((err as Error).cause));
        await flush();
        log.push("cleaned up");
      });
      throw failure;
    });
    expect(await rejection(running)).toBe(failure);
    expect(log).toEqual([failure, "cleaned up"]);
  });

  test("fails if a task fails, also if the body handles the rejection of its promise", async () => {
    const failure = new Error("failed");
    const running = group(background(), async (g) => {
      await g.go(() => Promise.reject(failure)).catch(() => undefined);
      return "no failure";
    });
    expect(await rejection(running)).toBe(failure);
  });

  test("lets a task start tasks, and waits for them", async () => {
    const log: number[] = [];
    const walk = (g: Group, n: number) => async (): Promise<void> => {
      await flush();
      log.push(n);
      if (n > 0) void g.go(walk(g, n - 1));
    };
    await group(background(), (g) => void g.go(walk(g, 3)), { limit: 1 });
    expect(log).toEqual([3, 2, 1, 0]);
  });

  test("runs at most `limit` tasks at once, starts them in order, and does not count the body", async () => {
    const started: number[] = [];
    const ends = Array.from({ length: 4 }, () => new Deferred());
    await group(
      background(),
      async (g) => {
        ends.forEach(
          (end, i) =>
            void g.go(() => {
              started.push(i);
              return end.promise;
            }),
        );
        expect(started).toEqual([0, 1]);
        ends[1]?.resolve();
        await flush();
        expect(started).toEqual([0, 1, 2]);
        for (const end of ends) end.resolve();
      },
      { limit: 2 },
    );
    expect(started).toEqual([0, 1, 2, 3]);
  });

  test("tryGo starts a task at once or not at all", async () => {
    const end = new Deferred();
    const refused = vi.fn();
    await group(
      background(),
      async (g) => {
        const first = g.tryGo(() => end.promise.then(() => 1));
        expect(g.tryGo(refused)).toBeUndefined();
        const queued = g.go(() => 2);
        end.resolve();
        expect(await first).toBe(1);
        expect(await queued).toBe(2);
        await flush();
        expect(await g.tryGo(() => 3)).toBe(3);
      },
      { limit: 1 },
    );
    expect(refused).not.toHaveBeenCalled();
  });

  test("tryGo does not take the turn of a task that waits", async () => {
    const log: string[] = [];
    await group(
      background(),
      async (g) => {
        const first = g.go(() => flush());
        void g.go(() => void log.push("queued"));
        void first.then(() => {
          for (let i = 0; i < 3; i++) void g.tryGo(() => void log.push("tried"));
        });
        await flush();
        await flush();
      },
      { limit: 1 },
    );
    expect(log[0]).toBe("queued");
  });

  test("starts nothing after a failure, and a task that waits rejects with the group's error", async () => {
    const failure = new Error("failed");
    const never = vi.fn();
    // Checked outside, because the group throws its first failure.
    let [errors, end, tried]: unknown[] = [];
    const running = group(
      background(),
      async (g) => {
        const fails = new Deferred();
        void g.go(() => fails.promise);
        const queued = g.go(never);
        fails.reject(failure);
        errors = [await rejection(queued), await rejection(g.go(never))];
        end = g.ctx.err();
        tried = g.tryGo(never);
      },
      { limit: 1 },
    );
    expect(await rejection(running)).toBe(failure);
    expect(end).toMatchObject({ message: "context canceled", cause: failure });
    expect(errors).toEqual([end, end]);
    expect(tried).toBeUndefined();
    expect(never).not.toHaveBeenCalled();
  });

  test("a task that waits for its turn rejects as soon as the context ends", async () => {
    const ctx = withCancel(background());
    const end = new Deferred();
    const never = vi.fn();
    const errors: unknown[] = [];
    const running = group(
      ctx,
      async (g) => {
        void g.go(() => end.promise);
        const queued = [g.go(never), g.go(never)];
        await flush();
        ctx.cancel("why");
        for (const handle of queued) errors.push(await rejection(handle));
        end.resolve();
      },
      { limit: 1 },
    );
    expect(await rejection(running)).toBe(ctx.err());
    expect(errors).toEqual([ctx.err(), ctx.err()]);
    expect(never).not.toHaveBeenCalled();
  });

  test("starts no task after the deadline if only the clock says so", async () => {
    const clock = new ManualClock();
    using _ = useClock(clock);
    const ctx = withTimeout(background(), 10);
    const never = vi.fn();
    let tried: unknown = "not tried";
    const running = group(
      ctx,
      async (g) => {
        const first = g.go(() => {
          clock.block(20);
        });
        void g.go(never);
        await first;
        tried = g.tryGo(never);
      },
      { limit: 1 },
    );
    expect(await rejection(running)).toBe(ctx.err());
    expect(tried).toBeUndefined();
    expect(never).not.toHaveBeenCalled();
    expect(clock.timers).toBe(0);
  });

  test("does not run its body under a context that is done", async () => {
    const ctx = withCancel(background());
    ctx.cancel();
    const body = vi.fn();
    expect(await rejection(group(ctx, body))).toBe(ctx.err());
    expect(body).not.toHaveBeenCalled();
  });

  test("returns the result if the context ends and nothing fails because of that", async () => {
    const ctx = withCancel(background());
    const running = group(ctx, async (g) => {
      void g.go(() => flush());
      await flush();
      return 1;
    });
    ctx.cancel();
    expect(await running).toBe(1);
  });

  test("refuses to start a task after its end", async () => {
    let kept: Group | undefined;
    await group(background(), (g) => void (kept = g));
    expect(() => kept?.go(() => 1)).toThrow(
      "g.go was called after its group had ended; call it while",
    );
    expect(() => kept?.tryGo(() => 1)).toThrow("g.tryGo was called after its group had ended");
    await group(background(), (g) => {
      void g.go(() => 1).then(() => (kept = g));
    });
    expect(() => kept?.go(() => 1)).toThrow("had ended");
  });

  test.each([
    ["a body that is no function", () => group(background(), 1 as never), "group takes a function"],
    ["no context", () => group(undefined as never, () => 1), "group got undefined where"],
    ["a limit of 0", () => group(background(), () => 1, { limit: 0 }), "got number 0"],
    ["half a limit", () => group(background(), () => 1, { limit: 1.5 }), "got number 1.5"],
    ["an option", () => group(background(), () => 1, { limits: 1 } as never), 'option "limits"'],
    ["a task", () => group(background(), (g) => g.go(1 as never)), "g.go takes a function"],
    ["a try", () => group(background(), (g) => g.tryGo(1 as never)), "g.tryGo takes a function"],
  ])("rejects if it is given %s", async (_what, call, message) => {
    await expect(call()).rejects.toThrow(message);
  });

  test("runs under a foreign context", async () => {
    const ctx = withCancel(background());
    const running = group(foreignContext(ctx), (g) => g.go((ctx) => sleep(ctx, 1e6)));
    ctx.cancel("why");
    expect(await rejection(running)).toBe(ctx.err());
    expect(await group(foreignContext(background()), (g) => g.go(() => 1))).toBe(1);
  });

  test("a task that waited for its turn runs in the AsyncLocalStorage context of its g.go", async () => {
    const storage = new AsyncLocalStorage<number>();
    const seen: [number, unknown, unknown][] = [];
    await group(
      background(),
      (g) => {
        for (const i of [0, 1, 2, 3]) {
          void storage.run(i, () =>
            g.go(async () => {
              const before = storage.getStore();
              await flush();
              seen.push([i, before, storage.getStore()]);
            }),
          );
        }
      },
      { limit: 1 },
    );
    expect(seen).toEqual([0, 1, 2, 3].map((i) => [i, i, i]));
  });

  test("its functions need no `this`", async () => {
    await group(background(), async ({ go, tryGo }) => {
      expect([await go(() => 1), await tryGo(() => 2)]).toEqual([1, 2]);
    });
  });

  test.each([1, Infinity])(
    "leaves no watch on its context, also after a failure (limit %d)",
    async (limit) => {
      const ctx = withCancel(background());
      const scope = scopeOf(ctx)!;
      const bodies: ((g: Group) => unknown)[] = [
        (g) => [1, 2, 3].map((i) => g.go(() => i)),
        (g) => [1, 2, 3].map(() => g.go(() => flush())),
        (g) => [1, 2, 3].map(() => g.go((ctx) => void ctx.signal)),
        (g) => [1, 2, 3].map(() => g.go((ctx) => void afterFunc(ctx, () => 1))),
        (g) => [1, 2, 3].map(() => g.go(() => Promise.reject(new Error("x")))),
        (g) => {
          for (let i = 0; i < 3; i++) void g.go((ctx) => sleep(ctx, 1e6));
          throw new Error("x");
        },
      ];
      for (const body of bodies) {
        await group(ctx, body, { limit }).catch(() => undefined);
        expect(isWatched(scope)).toBe(false);
      }
    },
  );

  test("retains nothing of 20,000 groups", async () => {
    const ctx = withCancel(background());
    const keep = afterFunc(ctx, () => undefined); // the context stays watched
    const use = async (n: number): Promise<void> => {
      const body = (g: Group): void => {
        for (let j = 0; j < 3; j++) void g.go(() => undefined);
      };
      for (let i = 0; i < n; i++) await group(ctx, body, { limit: 1 });
    };
    await use(1_000);
    const before = heap();
    await use(20_000);
    // The smallest object that could be left behind, a link, would be 480 kB.
    expect(heap() - before).toBeLessThan(250_000);
    keep();
  });
});

describe("a chain of 20,000 tasks that start each other without a pause", () => {
  const reports = watchReports();

  test("runs to its end, each task in the async context of its `go`", async () => {
    const storage = new AsyncLocalStorage<number>();
    let isRight = true;
    let count = 0;
    await group(background(), (g) => {
      const start = (n: number): void => {
        storage.run(n, () => {
          void g.go(() => {
            isRight &&= storage.getStore() === n;
            count++;
            if (n < 20_000) start(n + 1);
          });
        });
      };
      start(1);
    });
    expect([count, isRight, reports]).toEqual([20_000, true, []]);
  });

  test("does not go on after the end of the context", async () => {
    const ctx = withCancel(background());
    let count = 0;
    const running = group(ctx, (g) => {
      const start = (): void => {
        void g.go(() => {
          if (++count < 20_000) start();
        });
      };
      start();
    });
    ctx.cancel();
    await expect(running).rejects.toBe(ctx.err());
    const before = count;
    await flush();
    expect(count).toBe(before);
    expect(count).toBeLessThan(20_000);
  });
});

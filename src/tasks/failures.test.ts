/** What becomes of the failures after the first one, in `group`. */
import { subscribe, unsubscribe } from "node:diagnostics_channel";
import { runInNewContext } from "node:vm";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { turn } from "../../test/support.ts";
import { inUserCode } from "../../test/support/user-code.ts";
import { rejection, watchReports } from "../../test/support/reports.ts";
import {
  background,
  developmentMode,
  group,
  SingleFlight,
  sleep,
  withCancel,
  type Context,
} from "../index.ts";

interface Message {
  error: unknown;
  suppressed: unknown;
}

/** Fails with `first` and then, after the cancellation, with each of `later`. Returns the error. */
function fail(first: unknown, later: readonly unknown[], ctx: Context = background()) {
  return rejection(
    group(ctx, (g) => {
      for (const error of later) {
        void g.go(async (ctx) => {
          await sleep(ctx, 1e6).catch(() => 0);
          throw error;
        });
      }
      throw first;
    }),
  );
}

const suppressedOf = (error: unknown): unknown => (error as { suppressed?: unknown }).suppressed;

describe("a later failure", () => {
  const warnings = watchReports();
  const messages: Message[] = [];
  const onMessage = (message: unknown): void => void messages.push(message as Message);
  beforeEach(() => {
    messages.length = 0;
    subscribe("eightysix:task.suppressed", onMessage);
  });
  afterEach(() => void unsubscribe("eightysix:task.suppressed", onMessage));

  test("is in the non-enumerable `suppressed` of the first, once and in order", async () => {
    const first = new Error("first");
    const [a, b] = [new Error("a"), new Error("b")];
    expect(await fail(first, [a, b, a, first, undefined])).toBe(first);
    expect(suppressedOf(first)).toEqual([a, b, undefined]);
    expect(Object.keys(first)).toEqual([]);
    expect(messages).toEqual([]);
  });

  test("does not count if it passes on the end of the group's context, as it is or wrapped", async () => {
    const first = new Error("first");
    const cleanup = new Error("cleanup");
    const running = group(background(), (g) => {
      void g.go((ctx) => sleep(ctx, 1e6));
      void g.go(async (ctx) => {
        await sleep(ctx, 1e6).catch((cause: unknown) => {
          throw new Error("wrapped", { cause: new Error("twice", { cause }) });
        });
      });
      void g.go(async (ctx) => {
        await sleep(ctx, 1e6).catch(() => 0);
        throw cleanup;
      });
      throw first;
    });
    expect(await rejection(running)).toBe(first);
    expect(suppressedOf(first)).toEqual([cleanup]);
  });

  test("counts if it is the end of another context", async () => {
    const first = new Error("first");
    const other = withCancel(background());
    other.cancel("other");
    await fail(first, [other.err()]);
    expect(suppressedOf(first)).toEqual([other.err()]);
  });

  test("leaves an error without `suppressed` if there is none", async () => {
    const first = new Error("first");
    await fail(first, []);
    expect(first).not.toHaveProperty("suppressed");
  });

  test("is added to what a group inside this one has written", async () => {
    const first = new Error("first");
    const [inner, outer, outermost] = [new Error("inner"), new Error("outer"), new Error("most")];
    const running = group(background(), async (g) => {
      void g.go((ctx) => sleep(ctx, 1e6).catch(() => Promise.reject(outermost)));
      await group(g.ctx, async (g) => {
        void g.go((ctx) => sleep(ctx, 1e6).catch(() => Promise.reject(outer)));
        throw await fail(first, [inner], g.ctx);
      });
    });
    expect(await rejection(running)).toBe(first);
    expect(suppressedOf(first)).toEqual([inner, outer, outermost]);
    expect(messages).toEqual([]);
  });

  test("is kept with the failure of a group inside this one that wraps the end of this one", async () => {
    const first = new Error("first");
    const cleanup = new Error("cleanup");
    let wrapped: unknown;
    const running = group(background(), (g) => {
      void g.go((ctx) =>
        sleep(ctx, 1e6).catch((cause: unknown) => {
          wrapped = new Error("wrapped", { cause });
          return group(background(), async (inner) => {
            void inner.go((ctx) => sleep(ctx, 1e6).catch(() => Promise.reject(cleanup)));
            throw wrapped;
          });
        }),
      );
      throw first;
    });
    expect(await rejection(running)).toBe(first);
    expect(suppressedOf(first)).toEqual([wrapped]);
    expect(suppressedOf(wrapped)).toEqual([cleanup]);
  });

  const ownField = Object.assign(new Error("own field"), { suppressed: "mine" });
  class Inherited extends Error {
    get suppressed(): string {
      return "inherited";
    }
  }
  const done = withCancel(background());
  done.cancel();
  test.each<[string, unknown]>([
    ["undefined", undefined],
    ["null", null],
    ["a string", "failed"],
    ["an object that is no error", { code: 1 }],
    ["a frozen error", Object.freeze(new Error("frozen"))],
    ["a sealed error", Object.seal(new Error("sealed"))],
    ["a context error", done.err()],
    ["an error with a `suppressed` of its own", ownField],
    ["an error of a class with a `suppressed`", new Inherited("inherited")],
  ])("is published if the first failure is %s, which stays untouched", async (_what, first) => {
    const isObject = typeof first === "object" && first !== null;
    const before = isObject ? Object.getOwnPropertyDescriptors(first) : undefined;
    const later = [new Error("a"), "b"];
    expect(await fail(first, later)).toBe(first);
    expect(messages).toEqual(later.map((suppressed) => ({ error: first, suppressed })));
    if (isObject) expect(Object.getOwnPropertyDescriptors(first)).toEqual(before);
  });

  test("is published if the first failure is a proxy that throws", async () => {
    const hostile = new Proxy(new Error("hostile"), {
      get: (target, name) => {
        if (name === "suppressed" || name === "cause") throw new Error("a trap");
        return Reflect.get(target, name) as unknown;
      },
      has: () => {
        throw new Error("a trap");
      },
    });
    // Not by matchers, which would read the proxy to describe it.
    expect((await fail(hostile, ["later"])) === hostile).toBe(true);
    expect(messages.map(({ error, suppressed }) => [error === hostile, suppressed])).toEqual([
      [true, "later"],
    ]);
  });

  test("is published if an unrelated group has written on the same error", async () => {
    const shared = new Error("shared");
    const [mine, yours] = [new Error("mine"), new Error("yours")];
    await fail(shared, [mine]);
    await fail(shared, [yours]);
    expect(suppressedOf(shared)).toEqual([mine]);
    expect(messages).toEqual([{ error: shared, suppressed: yours }]);
  });

  test("is published if the first failure is that of a flight of several calls", async () => {
    const flights = new SingleFlight<string, never>();
    const failure = new Error("the query failed");
    const task = async (ctx: Context): Promise<never> => {
      await sleep(ctx, 1);
      throw failure;
    };
    const request = (later: Error): Promise<unknown> =>
      rejection(
        group(background(), (g) => {
          void g.go((ctx) => flights.do(ctx, "key", task));
          void g.go(async (ctx) => {
            await sleep(ctx, 1e6).catch(() => 0);
            throw later;
          });
        }),
      );
    const [mine, yours] = [new Error("mine"), new Error("yours")];
    expect(await Promise.all([request(mine), request(yours)])).toEqual([failure, failure]);
    expect(suppressedOf(failure)).toBeUndefined();
    expect(messages.map(({ suppressed }) => suppressed)).toEqual([mine, yours]);

    await request(new Error("alone"));
    expect(suppressedOf(failure)).toBeUndefined(); // it remains shared
  });

  test("is in the `suppressed` of the error of a flight that had one call", async () => {
    const failure = new Error("the query failed");
    const later = new Error("later");
    const flights = new SingleFlight<string, never>();
    await rejection(
      group(background(), (g) => {
        void g.go(async (ctx) => {
          await sleep(ctx, 1e6).catch(() => 0);
          throw later;
        });
        void g.go((ctx) =>
          flights.do(ctx, "key", () => {
            throw failure;
          }),
        );
      }),
    );
    expect(suppressedOf(failure)).toEqual([later]);
  });

  test("is not the first one again, which may be NaN", async () => {
    expect(await fail(Number.NaN, [Number.NaN])).toBeNaN();
    expect(messages).toEqual([]);
  });

  test("is published if a group inside this one had its `suppressed` replaced", async () => {
    const first = new Error("first");
    const outer = new Error("outer");
    const running = group(background(), async (g) => {
      void g.go((ctx) => sleep(ctx, 1e6).catch(() => Promise.reject(outer)));
      await fail(first, [new Error("inner")], g.ctx);
      Object.defineProperty(first, "suppressed", { value: "mine" });
      throw first;
    });
    expect(await rejection(running)).toBe(first);
    expect(suppressedOf(first)).toBe("mine");
    expect(messages).toEqual([{ error: first, suppressed: outer }]);
  });

  test("is in `suppressed` of an error of another realm", async () => {
    const first = runInNewContext(`new Error("elsewhere")`) as Error;
    await fail(first, ["later"]);
    expect(suppressedOf(first)).toEqual(["later"]);
  });

  test("causes a warning in development mode if it is published, once for each call site", async () => {
    await fail("first", ["later"]);
    await turn();
    expect(warnings).toEqual([]);
    developmentMode(true);
    try {
      for (let i = 0; i < 2; i++) {
        await inUserCode(() => fail("first", [new Error("the later one"), "another"]));
      }
      await inUserCode(() => fail("first", ["another call"]));
      await inUserCode(() => fail(new Error("first"), ["attached"]));
      await turn();
    } finally {
      developmentMode(false);
    }
    expect(warnings).toMatchObject([
      {
        name: "EightysixWarning",
        code: "EIGHTYSIX_SUPPRESSED",
        detail: expect.stringMatching(
          /^ +at .*user-code\.ts[^]*The later failure: Error: the later one/,
        ) as unknown,
      },
      {
        detail: expect.stringMatching(
          /^ +at .*user-code\.ts[^]*The later failure: another call/,
        ) as unknown,
      },
    ]);
  });
});

/** A call that gets another context than that of the request around it. */
import { describe, expect, test } from "vitest";
import { runWithContext, runWithoutContext } from "../../src/current/index.ts";
import { RequestFinished } from "../../src/http/index.ts";
import { handOver } from "../../src/adapter/index.ts";
import {
  all,
  allSettled,
  any,
  background,
  checkpoint,
  detach,
  developmentMode,
  group,
  hedge,
  interval,
  map,
  merge,
  orDone,
  race,
  Semaphore,
  shield,
  SingleFlight,
  sleep,
  todo,
  withCancel,
  within,
  withLedger,
  withoutCancel,
  withSignal,
  withTimeout,
  withValue,
  key,
  type Context,
} from "../../src/index.ts";
import { turn } from "../support.ts";
import { inDevelopment, messagesOn } from "../support/development.ts";

const warnings = inDevelopment();
const UNRELATED = "EIGHTYSIX_UNRELATED_CONTEXT";
const FOREIGN = "EIGHTYSIX_FOREIGN_CONTEXT";

/** Runs `fn` as the handler of a request with a current context. */
async function request<T>(fn: (ctx: Context) => T | PromiseLike<T>): Promise<T> {
  using scope = withCancel(background());
  const ctx = withLedger(scope);
  const result = await runWithContext(ctx, async () => await fn(ctx));
  await turn();
  return result;
}

const codes = (): string[] => warnings.map(({ code }) => code);
const K = key<string>("k");
const query = handOver(async (ctx: Context, _sql: string) => (await turn(), ctx.err()), "query");
const done = () => 1;

describe("a call under a request that gets a root context", () => {
  test.each<[string, (ctx: Context) => unknown]>([
    ["sleep", (ctx) => sleep(ctx, 1)],
    ["group", (ctx) => group(ctx, () => 1)],
    ["all", (ctx) => all(ctx, [done])],
    ["allSettled", (ctx) => allSettled(ctx, [done])],
    ["any", (ctx) => any(ctx, [done])],
    ["race", (ctx) => race(ctx, [done])],
    ["map", (ctx) => map(ctx, [1], done, { limit: 1 })],
    ["orDone", (ctx) => orDone(ctx, Promise.resolve(1))],
    ["hedge", (ctx) => hedge(ctx, done, { after: 10, max: 2 })],
    ["interval", (ctx) => interval(ctx, 10)],
    ["within", (ctx) => within(ctx, 10, done)],
    ["Semaphore.acquire", (ctx) => new Semaphore(1).acquire(ctx)],
    ["Semaphore.use", (ctx) => new Semaphore(1).use(ctx, done)],
    ["query", (ctx) => query(ctx, "select 1")],
  ])("is reported, at the line of the program: %s", async (name, call) => {
    const published = messagesOn("eightysix:context.unrelated");
    await request(async (ctx) => {
      await call(ctx);
      expect(codes()).toEqual([]);
      await call(background());
    });
    expect(codes()).toEqual([UNRELATED]);
    expect(warnings[0]?.message).toMatch(
      new RegExp(`^${name} got a context.*; pass the caller's ctx`),
    );
    expect(warnings[0]?.detail).toMatch(/^ +at .*wrong-context\.test\.ts/);
    expect(published).toMatchObject([{ call: name, ctx: background() }]);
  });

  test("is reported for todo(), and for what the program derives from a root under the request", async () => {
    await request(async () => {
      await sleep(todo(), 1);
      using inner = withTimeout(background(), 1_000);
      await sleep(inner, 1);
      await sleep(withValue(withCancel(inner), K, "v"), 1);
    });
    expect(codes()).toEqual([UNRELATED, UNRELATED, UNRELATED]);
  });

  test("is reported where the program passes it, and not again for what a function hands on", async () => {
    await request(() => group(background(), (g) => sleep(g.ctx, 1)));
    expect(codes()).toEqual([UNRELATED]);
    expect(warnings[0]?.message).toMatch(/^group got/);
  });

  test("is reported once for each call site", async () => {
    const published = messagesOn("eightysix:context.unrelated");
    for (let i = 0; i < 3; i++) await request(() => sleep(background(), 1));
    expect(codes()).toEqual([UNRELATED]);
    expect(published).toHaveLength(3);
  });

  test("is not reported while development mode is off", async () => {
    developmentMode(false);
    const published = messagesOn("eightysix:context.unrelated");
    await request(() => sleep(background(), 1));
    expect(codes()).toEqual([]);
    expect(published).toEqual([]);
  });
});

describe("a call under a request is not reported", () => {
  const silent = async (fn: (ctx: Context) => unknown): Promise<void> => {
    await request(fn);
    await turn();
    expect(codes()).toEqual([]);
  };

  test("without a current context, or in runWithoutContext", async () => {
    await sleep(background(), 1);
    await silent(() => runWithoutContext(() => sleep(background(), 1)));
  });

  test("with the context of the request, or one derived from it", () =>
    silent(async (ctx) => {
      await sleep(ctx, 1);
      using inner = withTimeout(withValue(ctx, K, "v"), 1_000);
      await sleep(inner, 1);
      await query(inner, "select 1");
      await sleep(withoutCancel(ctx), 1);
    }));

  test("in shield, detach and a flight, with the context that is handed there", () =>
    silent(async (ctx) => {
      await shield(ctx, 1_000, (inner) => sleep(inner, 1));
      await new Promise<void>((resolve) => {
        detach(ctx, 1_000, async (inner) => {
          await query(inner, "select 1");
          resolve();
        });
      });
      const flights = new SingleFlight<string, unknown>();
      await flights.do(ctx, "k", (inner) => query(inner, "select 1"));
      await flights.do(background(), "k", (inner) => sleep(inner, 1));
    }));

  test("in shield and detach of background(), which are meant to go on", () =>
    silent(async () => {
      await shield(background(), 1_000, (inner) => sleep(inner, 1));
      await new Promise<void>((resolve) => {
        detach(background(), 1_000, async (inner) => {
          await sleep(inner, 1);
          resolve();
        });
      });
    }));

  test("with a context of the server that was created outside the request", async () => {
    using server = withCancel(background());
    const values = withValue(background(), K, "v");
    await silent(async () => {
      await sleep(server, 1);
      await sleep(values, 1);
      await sleep(withCancel(server), 1);
    });
  });

  test("with a root's child that also ends with a signal or another context", () =>
    silent(async (ctx) => {
      using followed = withSignal(background(), ctx.signal);
      await sleep(followed, 1);
      using life = withCancel(background());
      using both = merge(life, ctx);
      await sleep(both, 1);
      using inner = withTimeout(both, 1_000);
      await sleep(inner, 1);
      const gone = withSignal(background(), AbortSignal.abort());
      await sleep(gone, 1).catch(() => undefined);
    }));

  test("with what another request has derived from a root", async () => {
    const derived = await request(() => withTimeout(background(), 1_000));
    await silent(() => sleep(derived, 1));
  });

  test("with a job of its own that has a ledger", () =>
    silent(async () => {
      using job = withCancel(background());
      await query(withLedger(job), "select 1");
    }));

  test("with the live context of another request, as in a listener of it", () =>
    silent((outer) => request(() => sleep(outer, 1))));

  test("if the current context can't end or has ended", async () => {
    await runWithContext(withoutCancel(background()), () => sleep(background(), 1));
    const ended = withCancel(background());
    ended.cancel();
    await runWithContext(ended, () => sleep(background(), 1));
    expect(codes()).toEqual([]);
  });

  test("if a function of this package calls, such as sleep in interval", () =>
    silent(async (ctx) => {
      for await (const n of interval(ctx, 1)) if (n === 1) break;
      await checkpoint(ctx);
      await hedge(ctx, () => turn(), { after: 1, max: 2 });
    }));

  test("if the context is a foreign one that throws, whose error the call gets", () =>
    silent(async () => {
      const hostile = {
        signal: new AbortController().signal,
        err: () => undefined,
        deadline: () => undefined,
        value: () => {
          throw new Error("hostile");
        },
      } as unknown as Context;
      await expect((async () => await sleep(hostile, 1))()).rejects.toThrow("hostile");
    }));
});

describe("the context of another request that has finished", () => {
  test("is reported where a call gets it", async () => {
    const published = messagesOn("eightysix:context.foreign");
    const scope = withCancel(background());
    const kept = withLedger(scope);
    scope.cancel(new RequestFinished());
    await request(async () => {
      await expect(sleep(kept, 1)).rejects.toBe(kept.err());
    });
    expect(codes()).toEqual([FOREIGN]);
    expect(warnings[0]?.message).toMatch(/^sleep got the context of another request, which has/);
    expect(warnings[0]?.detail).toMatch(/^ +at .*wrong-context\.test\.ts/);
    expect(published).toMatchObject([{ call: "sleep", ctx: kept }]);
  });

  test("is not reported if it is the own one, or if a disconnect has ended it", async () => {
    const scope = withCancel(background());
    const own = withLedger(scope);
    await runWithContext(withTimeout(withoutCancel(own), 1_000), async () => {
      scope.cancel(new RequestFinished());
      await expect(sleep(own, 1)).rejects.toBe(own.err());
    });
    const gone = withCancel(background());
    gone.cancel();
    await request(async () => {
      await expect(sleep(withLedger(gone), 1)).rejects.toBe(gone.err());
    });
    expect(codes()).toEqual([]);
  });
});

test("the detail of a report ends at the last frame of the program", async () => {
  await request(() => sleep(background(), 1));
  expect(warnings[0]?.detail.split("\n")[0]).toMatch(/wrong-context\.test\.ts/);
  expect(warnings[0]?.detail.split("\n").at(-1)).toMatch(/wrong-context\.test\.ts|user-code/);
  expect(warnings[0]?.detail).not.toContain("vitest");
});

test("the report in a function of detach advises its own ctx", async () => {
  await request(async (ctx) => {
    detach(ctx, 1_000, () => sleep(background(), 1));
    await turn();
  });
  expect(codes()).toEqual([UNRELATED]);
  expect(warnings[0]?.message).toContain("in a function of detach or shield its own ctx");
});

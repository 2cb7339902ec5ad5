/** What `contexts({ current })` does for code that is handed no context. */
import pg from "pg";
import { describe, expect, onTestFinished, test } from "vitest";
import { currentContext } from "../../../src/current/index.ts";
import {
  ClientDisconnected,
  LocalTimeout,
  RequestFinished,
  Shutdown,
} from "../../../src/http/index.ts";
import {
  background,
  cause,
  isCanceled,
  key,
  sleep,
  withValue,
  type Context,
} from "../../../src/index.ts";
import { contextPool } from "../../../src/pg/index.ts";
import { until } from "../../raw-http.ts";
import { mark, observer, postgresUrl, until as untilAsync } from "../postgres.ts";
import { hasServer } from "../server.ts";
import type { Transport } from "../transports/index.ts";
import {
  asker,
  gate,
  get,
  post,
  start,
  type FrameworkUnderTest,
  type Setting,
  type Work,
} from "./under-test.ts";

const ContextPool = contextPool(pg.Pool);
const User = key<string>("user");

const causeOf = (ctx: Context | undefined): unknown => ctx && cause(ctx);

/** An existing data layer, which is handed no contexts. */
interface DataLayer {
  /** Runs until it is stopped. */
  slow(): Promise<unknown>;
  /** Takes some milliseconds, and returns `n`. */
  step(n: number): Promise<number | undefined>;
  /** Returns how many calls of `slow` are running on the server. */
  running(): Promise<number>;
}

/** On a real server. */
async function onPostgres(): Promise<DataLayer> {
  const pool = new ContextPool({ connectionString: postgresUrl(), max: 2 });
  pool.on("error", () => undefined);
  onTestFinished(() => pool.end());
  const look = await observer();
  const text = mark();
  return {
    slow: () => pool.query(`select pg_sleep(60) ${text}`),
    async step(n) {
      const sql = "select $1::int as n from pg_sleep(0.02)";
      return (await pool.query<{ n: number }>(sql, [n])).rows[0]?.n;
    },
    running: () => look.running(text),
  };
}

/** Where a test run has no server, as `npm run runtimes`. */
function inMemory(): DataLayer {
  let running = 0;
  const wait = async (ms: number) => await sleep(currentContext() ?? background(), ms);
  return {
    slow: () => (running++, wait(60_000).finally(() => running--)),
    step: async (n) => (await wait(20), n),
    running: () => Promise.resolve(running),
  };
}

const dataLayer = async (): Promise<DataLayer> =>
  hasServer("postgres") ? await onPostgres() : inMemory();

export function current(framework: FrameworkUnderTest, transport: Transport): void {
  const ask = asker(framework, transport);
  const leaves = transport.leaves;

  for (const leave of leaves) {
    test(`GET: when the client leaves by ${leave}, a query without a context stops on the server`, async () => {
      const db = await dataLayer();
      const errors: unknown[] = [];
      const work: Work = async () => {
        await db.slow().catch((error: unknown) => errors.push(error));
        return "late";
      };
      await using server = await ask(work, { current: true }, get);
      await untilAsync(async () => (await db.running()) === 1);
      server.asked.leave(leave);
      await untilAsync(async () => (await db.running()) === 0);
      await until(() => errors.length === 1);
      expect(isCanceled(errors[0])).toBe(true);
      expect(cause(server.ctx)).toBeInstanceOf(ClientDisconnected);
    });

    test(`POST: when the client leaves by ${leave}, all steps are completed`, async () => {
      const db = await dataLayer();
      const steps: unknown[] = [];
      const during: (Context | undefined)[] = [];
      const work: Work = async (ctx, body) => {
        await body();
        steps.push(await db.step(1));
        server.asked.leave(leave);
        await until(() => ctx.err() !== undefined);
        during.push(currentContext());
        for (const n of [2, 3]) steps.push(await db.step(n));
        return "written";
      };
      await using server = await ask(work, { current: true }, post);
      await until(() => steps.length === 3);
      expect(steps).toEqual([1, 2, 3]);
      expect(cause(server.ctx)).toBeInstanceOf(ClientDisconnected);
      await until(() => during[0]?.err() !== undefined, "the current context ends");
      expect(causeOf(during[0])).toBeInstanceOf(RequestFinished);
    });
  }

  test("POST: when the client has left, the limit still stops a query on the server", async () => {
    const db = await dataLayer();
    const contexts: (Context | undefined)[] = [];
    const work: Work = async (_, body) => {
      await body();
      contexts.push(currentContext());
      await db.slow().catch(() => undefined);
      return "late";
    };
    await using server = await ask(work, { current: true, timeout: 1_000 }, post);
    await until(() => contexts.length === 1);
    server.asked.leave("FIN");
    await until(() => server.ctx.err() !== undefined);
    await until(() => contexts[0]?.err() !== undefined);
    expect(causeOf(contexts[0])).toBeInstanceOf(LocalTimeout);
    await untilAsync(async () => (await db.running()) === 0);
  });

  test('POST with current: "all" stops with its client', async () => {
    const db = await dataLayer();
    const work: Work = async (_, body) => {
      await body();
      await db.slow().catch(() => undefined);
      return "late";
    };
    await using server = await ask(work, { current: "all" }, post);
    await untilAsync(async () => (await db.running()) === 1);
    server.asked.leave("FIN");
    await untilAsync(async () => (await db.running()) === 0);
  });

  test.each([
    ["GET", get],
    ["POST", post],
  ])("%s: a client that stays is answered, and the current context ends", async (_, how) => {
    const db = await dataLayer();
    const contexts: (Context | undefined)[] = [];
    const work: Work = async (ctx, body) => {
      if (how === post) await body();
      contexts.push(currentContext());
      if (how === get) expect(currentContext()).toBe(ctx);
      return `step ${String(await db.step(7))}`;
    };
    await using server = await ask(work, { current: true }, how);
    expect((await server.asked.whole()).body).toBe("step 7");
    await until(() => contexts[0]?.err() !== undefined);
    expect(causeOf(contexts[0])).toBeInstanceOf(RequestFinished);
  });

  test.each<[string, Setting]>([
    ["is absent", {}],
    ["is false", { current: false }],
  ])("if `current` %s, there is no current context", async (_, setting) => {
    await using server = await ask(() => typeof currentContext(), setting);
    expect((await server.asked.whole()).body).toBe("undefined");
  });

  test.each([
    ["GET", get],
    ["POST", post],
  ])("%s: middleware that gives the context a value changes the current one", async (_, how) => {
    const work: Work = async (ctx) => {
      await Promise.resolve();
      return `${String(ctx.value(User))} ${String(currentContext()?.value(User))}`;
    };
    const replace = (ctx: Context) => withValue(ctx, User, "ann");
    await using server = await ask(work, { current: true, replace }, how);
    expect((await server.asked.whole()).body).toBe("ann ann");
  });

  test("POST with a value: when the client leaves, all steps are completed", async () => {
    const db = await dataLayer();
    const steps: unknown[] = [];
    let during: Context | undefined;
    const work: Work = async (ctx) => {
      server.asked.leave("FIN");
      await until(() => ctx.err() !== undefined);
      during = currentContext();
      steps.push(await db.step(1), during?.value(User), during?.err());
      return "written";
    };
    const replace = (ctx: Context) => withValue(ctx, User, "ann");
    await using server = await ask(work, { current: true, replace }, post);
    await until(() => steps.length === 3);
    expect(steps).toEqual([1, "ann", undefined]);
    await until(() => during?.err() !== undefined);
    expect(causeOf(during)).toBeInstanceOf(RequestFinished);
  });

  test("POST: steps after the response are completed, in flight or not begun", async () => {
    const db = await dataLayer();
    const steps: unknown[] = [];
    const work: Work = async (ctx, body) => {
      await body();
      void (async () => {
        while (ctx.err() === undefined) steps.push(await db.step(1));
        await new Promise((resolve) => setTimeout(resolve, 20));
        steps.push("after", await db.step(2), await db.step(3));
      })();
      return "accepted";
    };
    await using server = await ask(work, { current: true }, post);
    expect((await server.asked.whole()).body).toBe("accepted");
    await until(() => steps.at(-1) === 3);
    expect(steps.slice(-3)).toEqual(["after", 2, 3]);
  });

  describe("a shutdown", () => {
    const leaveAndWait = async (gracePeriod: number) => {
      const db = await dataLayer();
      const held = gate();
      const steps: unknown[] = [];
      let during: Context | undefined;
      const work: Work = async (_, body) => {
        await body();
        during = currentContext();
        const go = during && Promise.race([held.opened, sleep(during, Infinity)]);
        steps.push(
          await Promise.resolve(go)
            .then(() => db.step(1))
            .catch(() => "stopped"),
        );
        return "written";
      };
      const times = { gracePeriod, forceAfter: 20_000 };
      const server = await start(framework, transport, work, { current: true }, times);
      const visitor = await server.visitor();
      visitor.post("body");
      await until(() => during !== undefined);
      visitor.leave("FIN");
      await until(() => server.ctx.err() !== undefined);
      return { server, held, steps, during };
    };

    // Without a connection to look at, `serve` does not know of the request.
    if (framework.knowsConnection !== false) {
      test("waits for a POST that goes on without its client", async () => {
        const { server, held, steps, during } = await leaveAndWait(20_000);
        await using _ = server;
        let isClosed = false;
        const closed = server.serving.close().finally(() => (isClosed = true));
        await new Promise((resolve) => setTimeout(resolve, 100));
        expect([isClosed, during?.err()]).toEqual([false, undefined]);
        held.open();
        expect(await closed).toMatchObject({ canceled: 0, destroyed: 0 });
        expect(steps).toEqual([1]);
        expect(causeOf(during)).toBeInstanceOf(RequestFinished);
      });
    }

    test("ends it at the end of the grace period", async () => {
      const { server, steps, during } = await leaveAndWait(50);
      await using _ = server;
      const knows = framework.knowsConnection !== false;
      if (knows) expect(await server.serving.close()).toMatchObject({ canceled: 1, destroyed: 0 });
      else await server.serving.close();
      expect(causeOf(during)).toBeInstanceOf(Shutdown);
      await until(() => steps.length === 1);
      expect(steps).toEqual(["stopped"]);
    });
  });

  test("a value of `current` that is none of the choices is refused at once", async () => {
    const build = async () => framework.app(() => "", { current: "some" as never });
    await expect(build()).rejects.toThrow(
      /current takes true, "all" or false, got the string "some"/,
    );
  });
}

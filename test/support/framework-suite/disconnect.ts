/** What the option `onDisconnect` does to the context of handlers. */
import { describe, expect, test } from "vitest";
import { currentContext } from "../../../src/current/index.ts";
import {
  ClientDisconnected,
  LocalTimeout,
  RequestFinished,
  serve,
  Shutdown,
  type ShutdownReport,
} from "../../../src/http/index.ts";
import { background, cause, key, sleep, withValue, type Context } from "../../../src/index.ts";
import { until } from "../../raw-http.ts";
import { collected } from "../../support.ts";
import type { Transport } from "../transports/index.ts";
import {
  asker,
  forever,
  gate,
  get,
  post,
  start,
  type FrameworkUnderTest,
  type Setting,
  type Work,
} from "./under-test.ts";

const User = key<string>("user");
const continues = { onDisconnect: "continue" } as const;
const cancels = { onDisconnect: "cancel" } as const;

export function disconnect(framework: FrameworkUnderTest, transport: Transport): void {
  const ask = asker(framework, transport);

  /** Two steps under the context, before and after the gate. */
  function twoSteps() {
    const held = gate();
    const done: string[] = [];
    const work: Work = async (ctx) => {
      await sleep(ctx, 1);
      done.push("first");
      await held.opened;
      await sleep(ctx, 1);
      done.push("second");
      return "written";
    };
    return { done, work, open: () => held.open() };
  }

  describe.each([
    ["GET", get],
    ["POST", post],
  ])("%s", (_, how) => {
    for (const leave of transport.leaves) {
      test(`with "continue", the handler goes on when its client leaves by ${leave}`, async () => {
        const { work, done, open } = twoSteps();
        await using server = await ask(work, continues, how);
        await until(() => done.length === 1);
        server.asked.leave(leave);
        await until(() => server.logged.length === 1);
        await sleep(background(), 10); // time for a mistake
        expect(server.ctx.err()).toBeUndefined();
        open();
        await until(() => server.ctx.err() !== undefined);
        expect(cause(server.ctx)).toBeInstanceOf(RequestFinished);
        expect(done).toEqual(["first", "second"]);
      });
    }

    test('with "continue", a client that stays is answered, and its connection can be used again', async () => {
      await using server = await ask(() => "ok", continues, how);
      expect(await server.asked.whole()).toMatchObject({ status: 200, body: "ok" });
      how(server.asked);
      await server.asked.whole(2);
      await until(() => server.seen.every((ctx) => ctx.err() !== undefined));
      expect(server.seen.map(cause)).toEqual(Array(2).fill(expect.any(RequestFinished)));
    });
  });

  test('with "continue", the limit ends a request, whether or not its client stays', async () => {
    await using server = await start(framework, transport, forever, { ...continues, timeout: 150 });
    const [stays, leaves] = [await server.visitor(), await server.visitor()];
    stays.get();
    leaves.get();
    await until(() => server.seen.length === 2);
    leaves.leave(transport.leaves[0] as string);
    expect((await stays.head()).status).toBe(503);
    await until(() => server.seen.every((ctx) => ctx.err() !== undefined));
    for (const ctx of server.seen) expect(cause(ctx)).toBeInstanceOf(LocalTimeout);
  });

  test('with "continue", a handler that fails after its client has left does no harm', async () => {
    const held = gate();
    const work: Work = async () => {
      await held.opened;
      throw new Error("the disk is full");
    };
    await using server = await ask(work, continues);
    await until(() => server.seen.length === 1);
    server.asked.leave(transport.leaves[0] as string);
    await until(() => server.logged.length === 1);
    held.open();
    await until(() => server.ctx.err() !== undefined);
    expect(cause(server.ctx)).toBeInstanceOf(RequestFinished);
  });

  // A fetch handler does not know the server that shuts down.
  if (framework.knowsConnection ?? true) {
    test('with "continue", a shutdown waits for a request whose client has left', async () => {
      const { work, done, open } = twoSteps();
      await using server = await start(framework, transport, work, continues, {
        gracePeriod: 60_000,
      });
      const visitor = await server.visitor();
      visitor.post("body");
      await until(() => done.length === 1);
      visitor.leave(transport.leaves[0] as string);
      await until(() => server.logged.length === 1);
      let isClosed = false;
      const closed = server.serving.close().finally(() => (isClosed = true));
      await sleep(background(), 100);
      expect([isClosed, server.ctx.err()]).toEqual([false, undefined]);
      open();
      expect(await closed).toMatchObject({ canceled: 0, destroyed: 0 });
      expect(done).toEqual(["first", "second"]);
    });

    test('with "continue", the end of the grace period ends a request whose client has left', async () => {
      await using server = await start(framework, transport, forever, continues, {
        ...{ gracePeriod: 50, forceAfter: 60_000 },
      });
      const visitor = await server.visitor();
      visitor.post("body");
      await until(() => server.seen.length === 1);
      visitor.leave(transport.leaves[0] as string);
      await until(() => server.logged.length === 1);
      expect(await server.serving.close()).toMatchObject({ canceled: 1, destroyed: 0 });
      expect(cause(server.ctx)).toBeInstanceOf(Shutdown);
    });

    const behind: Setting = { ...continues, timeout: 60_000, route: { timeout: 50_000 } };
    const settings: [string, Setting][] = [["", continues]];
    if (framework.hasRouteOptions ?? true) settings.push([" behind two limits", behind]);
    test.each(settings)(
      'with "continue", a handler%s that never settles is forgotten',
      async (_, setting) => {
        let started = 0;
        const work: Work = () => {
          started++;
          return new Promise(() => undefined);
        };
        const host = transport.server();
        const serving = serve(host.server, { signals: [], gracePeriod: 60_000 });
        await host.listen(await framework.app(work, setting, transport.http2));
        const visitor = await host.visitor();
        visitor.post("body");
        await until(() => started === 1);
        visitor.leave(transport.leaves[0] as string);
        let report: ShutdownReport | undefined;
        void serving.close().then((made) => (report = made)); // waits for what is not forgotten
        await collected(() => report !== undefined);
        await host[Symbol.asyncDispose]();
        expect(report).toMatchObject({ canceled: 0, destroyed: 0 });
      },
    );
  }

  if (framework.hasRouteOptions ?? true) {
    const replace = (ctx: Context) => withValue(ctx, User, "ada");

    const leaveAndOpen = async (setting: Setting) => {
      const { work, done, open } = twoSteps();
      await using server = await ask(work, setting, post);
      await until(() => done.length === 1);
      expect(server.ctx.value(User)).toBe(setting.replace && "ada");
      server.asked.leave(transport.leaves[0] as string);
      await until(() => server.logged.length === 1);
      await sleep(background(), 10);
      open();
      await until(() => server.ctx.err() !== undefined);
      return [done.length, cause(server.ctx)];
    };

    test.each<[string, Setting, number]>([
      ["goes on, as the route says", { route: continues }, 2],
      ["goes on, as the route says against the outer option", { ...cancels, route: continues }, 2],
      ["goes on, as the outer option says", { ...continues, route: { timeout: 60_000 } }, 2],
      ["stops, as the route says", { ...continues, route: cancels }, 1],
      ["stops, as the outer option says", { ...cancels, route: { timeout: 60_000 } }, 1],
      ["goes on with `current`", { current: true, route: continues }, 2],
      ["stops with `current`", { current: true, ...continues, route: cancels }, 1],
    ])("behind middleware, a route %s, and keeps the values", async (_, setting, steps) => {
      const reason = steps === 2 ? RequestFinished : ClientDisconnected;
      const replaced = framework.name.startsWith("Fastify") ? {} : { replace };
      expect(await leaveAndOpen({ ...setting, ...replaced })).toEqual([steps, expect.any(reason)]);
    });

    test("a limit of the route ends its request", async () => {
      const setting: Setting = { timeout: 60_000, replace, route: { ...continues, timeout: 30 } };
      await using server = await ask(forever, setting, post);
      expect((await server.asked.head()).status).toBe(503);
      await until(() => server.seen.every((ctx) => ctx.err() !== undefined));
      for (const ctx of server.seen) expect(cause(ctx)).toBeInstanceOf(LocalTimeout);
    });
  }

  if (framework.hasCurrent ?? true) {
    test.each([
      ["GET", true],
      ["GET", "all"],
      ["POST", true],
      ["POST", "all"],
    ] as const)(
      '%s with "continue" and current: %s has a current context that goes on',
      async (method, current) => {
        const held = gate();
        const found: (Context | undefined)[] = [];
        const work: Work = async () => {
          found.push(currentContext());
          await held.opened;
          await sleep(currentContext() ?? background(), 1);
          found.push(currentContext());
          return "ok";
        };
        const how = method === "GET" ? get : post;
        await using server = await ask(work, { ...continues, current }, how);
        await until(() => found.length === 1);
        server.asked.leave(transport.leaves[0] as string);
        await until(() => server.logged.length === 1);
        expect(found[0]?.err()).toBeUndefined();
        held.open();
        await until(() => found.length === 2);
        await until(() => found[0]?.err() !== undefined);
      },
    );
  }

  test("values and options that do not exist are refused when the application is built", async () => {
    const build = async (bad: object) => framework.app(() => "", bad);
    await expect(build({ onDisconnect: "ignore" })).rejects.toThrow(
      /onDisconnect .*got the string "ignore"/,
    );
    await expect(build({ ondisconnect: "continue" })).rejects.toThrow(
      /unknown option "ondisconnect"/,
    );
  });
}

/** What morgan and pino-http log of a request, without any configuration. */
import type { IncomingMessage, ServerResponse } from "node:http";
import { Writable } from "node:stream";
import express from "express";
import morgan from "morgan";
import { pinoHttp } from "pino-http";
import { describe, expect, test, vi } from "vitest";
import { serve, until } from "../../../test/raw-http.ts";
import { express5, expressOld } from "../../../test/support/frameworks/express.ts";
import { fastify5 } from "../../../test/support/frameworks/fastify.ts";
import { honoOnNode } from "../../../test/support/frameworks/hono.ts";
import { bareHandler } from "../../../test/support/frameworks/http.ts";
import { koa3 } from "../../../test/support/frameworks/koa.ts";
import type { FrameworkUnderTest, Work } from "../../../test/support/framework-suite.ts";
import {
  holdsAll,
  slowSession,
  type Held,
} from "../../../test/support/framework-suite/late-answers.ts";
import { gate } from "../../../test/support/framework-suite/under-test.ts";
import { transports } from "../../../test/support/transports/index.ts";
import { contextErrors, contexts } from "../../express/index.ts";
import { sleep, type Context } from "../../index.ts";
import { middleware, requestContext } from "../index.ts";

vi.setConfig({ testTimeout: 30_000 });

/** Two loggers, and the status in each of their lines. `null`: none was printed. */
function twoLoggers() {
  const morgans: (number | null)[] = [];
  const pinos: (number | null)[] = [];
  const into = (read: (line: string) => void) =>
    new Writable({
      write(line: Buffer, _encoding, done) {
        read(String(line));
        done();
      },
    });
  const logMorgan = morgan(":status", {
    stream: into((line) => morgans.push(line === "-\n" ? null : Number(line))),
  });
  const logPino = pinoHttp(
    {},
    into((line) => {
      const { res } = JSON.parse(line) as { res: { statusCode: number | null } };
      pinos.push(res.statusCode);
    }),
  );
  return {
    morgans,
    pinos,
    log: (req: IncomingMessage, res: ServerResponse, next: () => void): void => {
      logMorgan(req, res, () => logPino(req, res, next));
    },
  };
}

/** Connect's way. */
const connectMiddleware: FrameworkUnderTest = {
  ...bareHandler,
  name: "middleware",
  app(work, options) {
    const give = middleware(options);
    return (req, res) =>
      give(req, res, () => {
        const ctx = requestContext(req);
        Promise.resolve(work(ctx, () => req.resume().toArray(), { res })).then(
          (answer) => res.end(answer),
          () => undefined,
        );
      });
  },
};

const frameworks = [
  ...[bareHandler, connectMiddleware, express5, expressOld, fastify5, koa3, honoOnNode],
];

const cases = frameworks.flatMap((framework) =>
  transports
    .filter(({ http2, missing }) => missing === undefined && !(http2 && framework.withoutHttp2))
    .map((transport) => [framework.name, transport.name, framework, transport] as const),
);

describe.each(cases)("%s over %s", (_name, _over, framework, transport) => {
  const start = async (
    work: Work,
    options: { timeout?: number; current?: boolean } = {},
    outside: Held["outside"] = (_req, _res, next) => next(),
  ) => {
    const loggers = twoLoggers();
    const contexts: Context[] = [];
    const listener = await framework.app(
      (ctx, body, reply) => {
        contexts.push(ctx);
        return work(ctx, body, reply);
      },
      options,
      transport.http2,
    );
    const host = transport.server();
    await host.listen((req, res) =>
      loggers.log(req, res, () =>
        outside(req as never, res as never, () => void listener(req, res)),
      ),
    );
    return {
      ...{ ...loggers, contexts },
      visitor: () => host.visitor(),
      [Symbol.asyncDispose]: () => host[Symbol.asyncDispose](),
    };
  };

  test.each(
    transport.leaves.flatMap((leave) => [
      [leave, "GET", undefined] as const,
      [leave, "POST", true] as const,
    ]),
  )(
    "a client who leaves by %s before the response is logged with 499 (%s, current: %s)",
    async (leave, method, current) => {
      const work: Work = async (ctx, body) => {
        if (method === "POST") await body();
        await sleep(ctx, Infinity);
        return "never";
      };
      const hasCurrent = framework.hasCurrent !== false && current !== undefined;
      await using server = await start(work, hasCurrent ? { current } : {});
      const visitor = await server.visitor();
      if (method === "POST") visitor.post("body");
      else visitor.get();
      await until(() => server.contexts.length === 1);
      visitor.leave(leave);
      await until(() => server.morgans.length === 1 && server.pinos.length === 1);
      expect([server.morgans, server.pinos]).toEqual([[499], [499]]);
    },
  );

  test("a client who stays is logged once, with the status that was sent", async () => {
    await using server = await start(() => "ok");
    const visitor = await server.visitor();
    visitor.get();
    expect((await visitor.whole()).status).toBe(200);
    visitor.leave(transport.leaves[0]!);
    await until(() => server.morgans.length === 1 && server.pinos.length === 1);
    await new Promise((resolve) => setTimeout(resolve, 20));
    expect([server.morgans, server.pinos]).toEqual([[200], [200]]);
  });

  test("a request that runs into its limit is logged with 503", async () => {
    const work: Work = async (ctx) => (await sleep(ctx, Infinity), "never");
    await using server = await start(work, { timeout: 100 });
    const visitor = await server.visitor();
    visitor.get();
    expect((await visitor.whole()).status).toBe(503);
    await until(() => server.morgans.length === 1 && server.pinos.length === 1);
    expect([server.morgans, server.pinos]).toEqual([[503], [503]]);
  });

  test.each(
    transport.leaves.flatMap((leave) => [
      // express-session calls `res._implicitHeader`, which HTTP/2 does not have.
      ...(transport.http2 ? [] : [[leave, "the end of the 503", slowSession, true] as const]),
      [leave, "the whole 503", () => holdsAll(), framework.writesHead === true] as const,
    ]),
  )(
    "a client who leaves by %s while other middleware holds %s back is logged",
    async (leave, _, hold, hasBegun) => {
      const { outside, begun, release } = hold();
      const gone = gate();
      const work: Work = async () => (await gone.opened, "late");
      await using server = await start(work, { timeout: 20 }, outside);
      const visitor = await server.visitor();
      visitor.get();
      await begun.opened;
      visitor.leave(leave);
      await until(() => server.morgans.length === 1 && server.pinos.length === 1);
      const status = hasBegun ? 503 : 499;
      expect([server.morgans, server.pinos]).toEqual([[status], [status]]);
      release();
      gone.open();
      await new Promise((resolve) => setTimeout(resolve, 10)); // nothing throws
      expect([server.morgans, server.pinos]).toEqual([[status], [status]]);
    },
  );
});

test.each(["before", "after"])(
  "in Express, the loggers may be registered %s contexts()",
  async (order) => {
    for (const leave of ["FIN", "RST"] as const) {
      const loggers = twoLoggers();
      let ctx: Context | undefined;
      const app = express();
      if (order === "before") app.use(loggers.log);
      app.use(contexts());
      if (order === "after") app.use(loggers.log);
      app.get("/", async (req) => {
        ctx = req.ctx;
        await sleep(req.ctx, Infinity);
      });
      app.use(contextErrors());
      await using server = await serve(app);
      const client = await server.client();
      client.get();
      await until(() => ctx !== undefined);
      client.leave(leave);
      await until(() => loggers.morgans.length === 1 && loggers.pinos.length === 1);
      expect([loggers.morgans, loggers.pinos]).toEqual([[499], [499]]);
    }
  },
);

test("a client who leaves in the middle of a response is logged with the status that was sent", async () => {
  const loggers = twoLoggers();
  const app = express();
  app.use(loggers.log, contexts());
  app.get("/", (_req, res) => void res.write("part"));
  app.use(contextErrors());
  await using server = await serve(app);
  const client = await server.client();
  client.get();
  await client.answer();
  client.leave("RST");
  await until(() => loggers.morgans.length === 1 && loggers.pinos.length === 1);
  expect([loggers.morgans, loggers.pinos]).toEqual([[200], [200]]);
});

test("after its client has left, a handler can still set headers and respond", async () => {
  let done = false;
  const app = express();
  app.use(contexts({ current: true }));
  app.post("/", async (req, res) => {
    // `headersSent` is true while the disconnect is reported.
    await until(() => req.ctx.err() !== undefined && !res.headersSent);
    expect(res.statusCode).toBe(499);
    res.status(201).set("x-a", "1").cookie("a", "1").json({ ok: true });
    done = true;
  });
  app.use(contextErrors());
  await using server = await serve(app);
  const client = await server.client();
  client.post("");
  await until(() => server.sockets.size === 1);
  await new Promise((resolve) => setTimeout(resolve, 30));
  client.leave("FIN");
  await until(() => done);
});

/** Requests that get no response. */
import express from "express";
import Fastify from "fastify";
import { Hono } from "hono";
import { getRequestListener } from "@hono/node-server";
import Koa from "koa";
import type { IncomingMessage, ServerResponse } from "node:http";
import { expect, describe, test } from "vitest";
import { contexts as expressContexts } from "../../src/express/index.ts";
import { contexts as fastifyContexts } from "../../src/fastify/index.ts";
import { contexts as honoContexts } from "../../src/hono/index.ts";
import { handler, middleware, requestContext } from "../../src/http/index.ts";
import { developmentMode, shield, sleep, startWork, type Context } from "../../src/index.ts";
import { contexts as koaContexts } from "../../src/koa/index.ts";
import { ManualClock, useClock } from "../../src/testing/index.ts";
import { serve, until } from "../raw-http.ts";
import { inDevelopment, messagesOn } from "../support/development.ts";
import { turn } from "../support.ts";

const warnings = inDevelopment();
const CODE = "EIGHTYSIX_NO_RESPONSE";
const MINUTE = 60_000;
const never = new Promise<never>(() => undefined);

type Listener = (req: IncomingMessage, res: ServerResponse) => unknown;
type Options = { timeout?: number };
type Handle = (ctx: Context, res: ServerResponse) => unknown;

/** Each returns a listener that calls `handle` in a handler at `path`, which sends nothing itself. */
const frameworks: Record<
  string,
  (handle: Handle, path: string, options: Options) => Listener | Promise<Listener>
> = {
  handler: (handle, _path, options) => handler((ctx, _req, res) => handle(ctx, res), options),
  middleware(handle, _path, options) {
    const use = middleware(options);
    return (req, res) => use(req, res, () => void handle(requestContext(req), res));
  },
  Express(handle, path, options) {
    const app = express();
    app.use(expressContexts(options));
    app.get(path, async (req, res) => void (await handle(req.ctx, res)));
    return app;
  },
  async Fastify(handle, path, options) {
    const app = Fastify();
    await app.register(fastifyContexts, options);
    app.get(path, (request, reply) => void handle(request.ctx, reply.raw));
    await app.ready();
    return (req, res) => app.routing(req, res);
  },
  Koa(handle, _path, options) {
    const app = new Koa();
    app.use(koaContexts(options));
    app.use(async (koa) => {
      koa.respond = false;
      await handle(koa.context, koa.res);
    });
    return app.callback();
  },
  Hono(handle, path, options) {
    const app = new Hono();
    app.use(honoContexts(options));
    app.get(path, async (c) => {
      await handle(c.var.ctx, (c.env as { outgoing: ServerResponse }).outgoing);
      return await never;
    });
    return getRequestListener(app.fetch);
  },
};

interface Client {
  readonly leaves?: boolean;
  readonly uploads?: boolean;
}

/** Sends a request, waits until `handle` has run, and moves the clock by a minute. */
async function ask(
  framework: string,
  path: string,
  handle: Handle,
  { leaves = false, uploads = false, ...options }: Options & Client = {},
): Promise<string[]> {
  const clock = new ManualClock();
  using _ = useClock(clock);
  let ctx: Context | undefined;
  const listener = await frameworks[framework]!(
    (own, res) => handle((ctx = own), res),
    path,
    options,
  );
  await using server = await serve(listener);
  const client = await server.client();
  const length = uploads ? "Content-Length: 100\r\n" : "";
  client.socket.write(`GET ${path} HTTP/1.1\r\nHost: a\r\n${length}\r\n`);
  await until(() => ctx !== undefined);
  await turn();
  if (leaves) {
    client.leave("RST");
    await until(() => ctx?.err() !== undefined);
    expect(clock.timers).toBe(0);
  }
  for (let i = 0; i < MINUTE; i += 1_000) {
    clock.advance(1_000);
    if (i % 10_000 !== 0) continue;
    if (uploads) client.socket.write("x");
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  await turn();
  client.socket.destroy();
  return warnings.filter(({ code }) => code === CODE).map(({ message }) => message);
}

describe.each(Object.keys(frameworks))("a request to %s", (name) => {
  const path = `/${name.toLowerCase()}`;

  test("that gets no response is reported, once for each route", async () => {
    const published = messagesOn<{ name: string; open: number }>("eightysix:http.no-response");
    const found = await ask(name, `${path}/1`, () => undefined);
    expect(found).toEqual([
      expect.stringMatching(`^GET ${path}/… has no response: .*; respond in`),
    ]);
    expect(published).toMatchObject([{ name: `GET ${path}/1` }]);
    expect(await ask(name, `${path}/2`, () => undefined)).toHaveLength(1);
    expect(published).toHaveLength(2);
  });

  test.each<[string, Handle, Client?]>([
    ["has a response", (_, res) => void res.end("ok")],
    ["has begun to stream", (_, res) => void (res.flushHeaders(), res.write(": "))],
    ["runs recorded work", (ctx) => void startWork(ctx, "poll")],
    ["runs a shield", (ctx) => void shield(ctx, 100_000, () => never)],
    ["has a client that left", () => never, { leaves: true }],
    ["has a body that arrives", () => never, { uploads: true }],
  ])("that %s is not reported", async (_, handle, options) => {
    expect(await ask(name, `${path}/other`, handle, options)).toEqual([]);
  });

  test("that has a time limit and a handler that runs is not reported", async () => {
    expect(await ask(name, `${path}/limited`, () => never, { timeout: 100_000 })).toEqual([]);
  });
});

test("a handler that has returned without a response is reported, whatever its time limit is", async () => {
  const [message] = await ask("handler", "/returned", () => undefined, { timeout: 100_000 });
  expect(message).toMatch(/its handler has returned, and nothing is recorded as running/);
});

test("work that runs now and then counts as running", async () => {
  const found = await ask("handler", "/works", async (ctx) => {
    for (;;) {
      const work = startWork(ctx, "step");
      await sleep(ctx, 20_000);
      work.end();
      await sleep(ctx, 10_000);
    }
  });
  expect(found).toEqual([]);
});

test("nothing is reported while development mode is off", async () => {
  developmentMode(false);
  expect(await ask("Express", "/off", () => undefined)).toEqual([]);
});

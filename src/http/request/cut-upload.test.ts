/** Clients who leave in the middle of an upload, with the parsers that people use. */
import type { RequestListener } from "node:http";
import { connect as connectHttp2 } from "node:http2";
import type { AddressInfo } from "node:net";
import { json as readJson } from "node:stream/consumers";
import formbody from "@fastify/formbody";
import multipart from "@fastify/multipart";
import { getRequestListener } from "@hono/node-server";
import type express from "express";
import express5 from "express";
import fastify, { type FastifyInstance } from "fastify";
import { Hono } from "hono";
import Koa from "koa";
import { koaBody } from "koa-body";
import multer from "multer";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { serve, until } from "../../../test/raw-http.ts";
import { failOnEscapes } from "../../../test/support/escapes.ts";
import { old as express4 } from "../../../test/support/frameworks/express.ts";
import { contextErrors, contexts as expressContexts } from "../../express/index.ts";
import { contexts as fastifyContexts } from "../../fastify/index.ts";
import { contexts as honoContexts } from "../../hono/index.ts";
import { cause, type Context } from "../../index.ts";
import { contexts as koaContexts } from "../../koa/index.ts";
import { handler as fetchHandler } from "../../web/index.ts";
import {
  ClientDisconnected,
  handler,
  middleware,
  requestContext,
  RequestFinished,
  statusOf,
} from "../index.ts";
import type { CurrentOption } from "./current-option.ts";
import type { DisconnectOption } from "./disconnect-option.ts";

vi.setConfig({ testTimeout: 30_000 });

/** What the user's code of one application has seen. */
interface Seen {
  readonly contexts: Context[];
  /** The errors that reached the user's error middleware, and the lines of the framework's log. */
  readonly told: unknown[];
  /** The bodies of the requests that reached a handler. */
  readonly bodies: unknown[];
}

type Options = CurrentOption & DisconnectOption;
interface Application {
  readonly listener: (...args: Parameters<RequestListener>) => unknown;
  close?(): Promise<unknown>;
}
type Build = (options: Options, seen: Seen) => Application | Promise<Application>;

const types = {
  json: ["application/json", '{"name":"ann"}'],
  text: ["text/plain", "some text"],
  urlencoded: ["application/x-www-form-urlencoded", "name=ann&age=1"],
  raw: ["application/octet-stream", "some bytes"],
  multipart: [
    "multipart/form-data; boundary=edge",
    [
      ...['--edge\r\nContent-Disposition: form-data; name="file"; filename="a.txt"'],
      ...["Content-Type: text/plain", "", "some text\r\n--edge--\r\n"],
    ].join("\r\n"),
  ],
} as const;
type Type = keyof typeof types;

const withExpress =
  (make: typeof express, type: Type): Build =>
  (options, seen) => {
    const app = make();
    app.use(expressContexts(options));
    app.use((req, _res, next) => {
      seen.contexts.push(req.ctx);
      next();
    });
    app.use(type === "multipart" ? multer().single("file") : make[type]());
    app.post("/", (req, res) => {
      seen.bodies.push(req.file ?? (req.body as unknown));
      res.send("ok");
    });
    app.use(contextErrors());
    app.use(((error: { status?: number }, _req, res, _next) => {
      seen.told.push(error);
      res.status(error.status ?? 500).send("sorry");
    }) as express.ErrorRequestHandler);
    return { listener: app };
  };

async function fastifyApp(
  type: Type,
  options: Options,
  seen: Seen,
  isHttp2 = false,
): Promise<FastifyInstance> {
  const stream = {
    write(line: string) {
      if (/"msg":"(incoming request|request completed)"/.test(line)) return;
      seen.told.push(line);
    },
  };
  const app = fastify({
    logger: { stream },
    ...(isHttp2 && { http2: true }),
  } as object) as unknown as FastifyInstance;
  await app.register(fastifyContexts, options);
  if (type === "urlencoded") await app.register(formbody);
  if (type === "multipart") await app.register(multipart);
  if (type === "raw") {
    app.addContentTypeParser(
      "application/octet-stream",
      { parseAs: "buffer" },
      (_request: unknown, body: Buffer) => Promise.resolve(body),
    );
  }
  app.addHook("onRequest", async (request) => void seen.contexts.push(request.ctx));
  app.addHook("onError", (_request, _reply, error, done) => {
    seen.told.push(error);
    done();
  });
  app.setErrorHandler((error, _request, reply) => {
    seen.told.push(error);
    return reply.code((error as { statusCode?: number }).statusCode ?? 500).send("sorry");
  });
  app.post("/", async (request) => {
    const file = type === "multipart" ? await request.file() : undefined;
    seen.bodies.push(file ? await file.toBuffer() : request.body);
    return "ok";
  });
  await app.ready();
  return app;
}

const withFastify =
  (type: Type): Build =>
  async (options, seen) => {
    const app = await fastifyApp(type, options, seen);
    return { listener: (req, res) => app.routing(req, res), close: () => app.close() };
  };

const withKoa =
  (type: Type): Build =>
  (options, seen) => {
    const app = new Koa();
    app.on("error", (error) => seen.told.push(error));
    app.use(async (koa, next) => {
      try {
        await next();
      } catch (error) {
        seen.told.push(error);
        throw error;
      }
    });
    app.use(koaContexts(options));
    app.use((koa, next) => {
      seen.contexts.push(koa.context);
      return next();
    });
    app.use(koaBody({ multipart: type === "multipart" }));
    app.use((koa) => {
      seen.bodies.push(koa.request.body);
      koa.body = "ok";
    });
    return { listener: app.callback() };
  };

/** Connect's way: the error handler asks `statusOf`, as the comment of `middleware` says. */
const withMiddleware =
  (type: "json" | "multipart"): Build =>
  (options, seen) => {
    const give = middleware(options);
    const parse = (type === "json" ? express5.json() : multer().single("file")) as unknown as (
      req: object,
      res: object,
      next: (error?: unknown) => void,
    ) => void;
    return {
      listener(req, res) {
        give(req, res, () => {
          seen.contexts.push(requestContext(req));
          parse(req, res, (error) => {
            const body = (req as { body?: unknown }).body;
            if (error === undefined) {
              seen.bodies.push(body);
              res.end("ok");
            } else if (statusOf(requestContext(req)) !== 499) {
              seen.told.push(error);
              res.writeHead((error as { status?: number }).status ?? 500).end("sorry");
            }
          });
        });
      },
    };
  };

const withHandler =
  (onDisconnect: "cancel" | "continue"): Build =>
  (_options, seen) => ({
    listener: handler(
      async (ctx, req, res) => {
        seen.contexts.push(requestContext(req));
        seen.bodies.push(await readJson(req));
        res.end("ok");
      },
      { onDisconnect }, // without onError: a process warning would tell
    ),
  });

const withHono: Build = (options, seen) => {
  const app = new Hono();
  app.use(honoContexts(options));
  app.post("/", async (c) => {
    seen.contexts.push(c.var.ctx);
    seen.bodies.push(await c.req.text());
    return c.text("ok");
  });
  app.onError((_error, c) => c.text("sorry", 500));
  return { listener: getRequestListener(app.fetch) };
};

const withFetch: Build = (_options, seen) => ({
  listener: getRequestListener(
    fetchHandler(async (ctx, request: Request) => {
      seen.contexts.push(ctx);
      seen.bodies.push(await request.text());
      return new Response("ok");
    }),
  ),
});

const all: Type[] = ["json", "text", "urlencoded", "raw", "multipart"];
/** `hasOptions`: whether the options `current` and `onDisconnect` of `contexts()` exist. */
const subjects: [name: string, type: Type, build: Build, hasOptions: boolean][] = [
  ...all.map((type) => ["Express 5", type, withExpress(express5, type), true] as const),
  ...all.map((type) => ["Express 4", type, withExpress(express4, type), true] as const),
  ...all.map((type) => ["Fastify 5", type, withFastify(type), true] as const),
  ...(["json", "text", "urlencoded", "multipart"] as const).map(
    (type) => ["Koa 3 with koa-body", type, withKoa(type), true] as const,
  ),
  ["middleware", "json", withMiddleware("json"), true],
  ["middleware", "multipart", withMiddleware("multipart"), true],
  ["handler", "json", withHandler("cancel"), false],
  ["handler that continues", "json", withHandler("continue"), false],
  ["Hono 4", "text", withHono, true],
  ["fetch handlers", "text", withFetch, false],
] as never;

const escapes = failOnEscapes();
beforeEach(() => {
  // @hono/node-server says there that the user has aborted a request.
  vi.spyOn(console, "info").mockReturnValue();
  vi.spyOn(console, "error").mockImplementation((...args) => void escapes.errors.push(args));
});
afterEach(() => void vi.restoreAllMocks());

/** The status of each response after its connection has closed, as a logger would print it. */
async function start(build: Build, options: Options) {
  const seen: Seen = { contexts: [], told: [], bodies: [] };
  const statuses: (number | null)[] = [];
  const app = await build(options, seen);
  const server = await serve((req, res) => {
    res.on("close", () => statuses.push(res.headersSent ? res.statusCode : null));
    return app.listener(req, res);
  });
  return {
    ...{ seen, statuses },
    client: () => server.client(),
    async [Symbol.asyncDispose]() {
      await server[Symbol.asyncDispose]();
      await app.close?.();
    },
  };
}

const head = (type: Type, length: number): string =>
  `POST / HTTP/1.1\r\nHost: x\r\nContent-Type: ${types[type][0]}\r\nContent-Length: ${length}\r\n\r\n`;

const settled = async (): Promise<void> => {
  for (let i = 0; i < 5; i++) await new Promise((resolve) => setTimeout(resolve, 4));
};

describe.each(subjects)("%s, %s", (name, type, build, hasOptions) => {
  const [, body] = types[type];
  const modes: Options[] = [{}];
  if (hasOptions) modes.push({ current: true }, { current: "all" });
  // `middleware` has no option `onDisconnect`.
  if (hasOptions && name !== "middleware") modes.push({ onDisconnect: "continue" });
  const parts = [
    ["before the first byte", 0],
    ["half way", body.length >> 1],
  ] as const;
  const cases = modes.flatMap((options) =>
    parts.flatMap(([when, sent]) =>
      (["FIN", "RST"] as const).map((leave) => [leave, when, options, sent] as const),
    ),
  );

  test.each(cases)(
    "a client who leaves by %s %s of its upload is 499, and nothing else runs (%o)",
    async (leave, _when, options, sent) => {
      await using server = await start(build, options);
      const client = await server.client();
      client.socket.write(head(type, body.length) + body.slice(0, sent));
      const { seen, statuses } = server;
      await until(() => seen.contexts.length === 1);
      await settled(); // the parser reads
      client.leave(leave);
      await until(() => seen.contexts[0]?.err() !== undefined);
      const ends = options.onDisconnect === "continue" ? RequestFinished : ClientDisconnected;
      expect(cause(seen.contexts[0]!)).toBeInstanceOf(ends);
      await until(() => statuses.length === 1);
      await settled();
      expect([seen.told, seen.bodies]).toEqual([[], []]);
      if (name !== "fetch handlers") expect(statuses).toEqual([499]);
    },
  );

  test("a client who stays is answered", async () => {
    await using server = await start(build, {});
    const client = await server.client();
    client.socket.write(head(type, body.length) + body);
    expect(await client.answer()).toMatch(/^HTTP\/1.1 200 /);
    expect([server.seen.told, server.seen.bodies.length]).toEqual([[], 1]);
  });
});

test.each([
  ["Express 5", withExpress(express5, "json")],
  ["Express 4", withExpress(express4, "json")],
  ["Fastify 5", withFastify("json")],
  ["middleware", withMiddleware("json")],
])("%s: a client who stays is told of a malformed body, and so is the user", async (_, build) => {
  await using server = await start(build, { current: true });
  const client = await server.client();
  client.socket.write(`${head("json", 4)}nope`);
  expect(await client.answer()).toMatch(/^HTTP\/1.1 400 /);
  expect(server.seen.told.length).toBeGreaterThan(0);
});

test.each([
  ["Express 5", express5],
  ["Express 4", express4],
])(
  "%s: after a disconnect, a POST that goes on still reports its own errors",
  async (_, make: typeof express) => {
    const bug = new Error("a bug");
    const told: unknown[] = [];
    let ctx: Context | undefined;
    const app = make();
    app.use(expressContexts({ current: true }), make.json());
    app.post("/", (req, _res, next) => {
      ctx = req.ctx;
      void until(() => req.ctx.err() !== undefined).then(() => next(bug));
    });
    app.use(contextErrors());
    app.use(((error, _req, _res, _next) => void told.push(error)) as express.ErrorRequestHandler);
    await using server = await serve(app);
    const client = await server.client();
    client.socket.write(head("json", 2) + "{}");
    await until(() => ctx !== undefined);
    client.leave("FIN");
    await until(() => told.length === 1);
    expect(told).toEqual([bug]);
  },
);

test.each(["json", "text", "urlencoded", "multipart"] as const)(
  "Fastify 5 over HTTP/2, %s: a client who resets its upload is 499, and nothing else runs",
  async (type) => {
    const seen: Seen = { contexts: [], told: [], bodies: [] };
    const app = await fastifyApp(type, { current: true }, seen, true);
    await app.listen({ port: 0, host: "127.0.0.1" });
    seen.told.length = 0; // "Server listening"
    const statuses: (number | null)[] = [];
    app.server.on("request", (_req, res) => {
      res.on("close", () => statuses.push(res.headersSent ? res.statusCode : null));
    });
    const session = connectHttp2(`http://127.0.0.1:${(app.server.address() as AddressInfo).port}`);
    const [contentType, body] = types[type];
    const stream = session.request({
      ...{ ":method": "POST", ":path": "/" },
      ...{ "content-type": contentType, "content-length": body.length },
    });
    stream.on("error", () => undefined);
    stream.write(body.slice(0, body.length >> 1));
    await until(() => seen.contexts.length === 1);
    await settled();
    stream.close(8); // CANCEL
    await until(() => seen.contexts[0]?.err() !== undefined);
    expect(cause(seen.contexts[0]!)).toBeInstanceOf(ClientDisconnected);
    await until(() => statuses.length === 1);
    await settled();
    expect([seen.told, seen.bodies, statuses]).toEqual([[], [], [499]]);
    session.destroy();
    await app.close();
  },
);

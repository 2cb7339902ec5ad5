/** `contexts({ current })` in Express, beside the suite of all frameworks. */
import express from "express";
import { PassThrough } from "node:stream";
import { expect, test, vi } from "vitest";
import { serve, until } from "../../test/raw-http.ts";
import { old } from "../../test/support/frameworks/express.ts";
import { currentContext, runWithContext } from "../current/index.ts";
import { ClientDisconnected, LocalTimeout, RequestFinished } from "../http/index.ts";
import { background, cause, key, sleep, withValue, type Context } from "../index.ts";
import { contextErrors, contexts, route } from "./index.ts";

vi.setConfig({ testTimeout: 30_000 });

const User = key<string>("user");
const apps: [string, typeof express][] = [
  ["5", express],
  ["4", old],
];
const causeOf = (ctx: Context | undefined): unknown => ctx && cause(ctx);

test.each(apps)("Express %s: three lines by hand set the current context", async (_, make) => {
  const seen: (Context | undefined)[] = [];
  const app = make();
  app.use(contexts());
  app.use((req, _res, next) => runWithContext(req.ctx, next));
  app.get("/", async (_req, res) => {
    await Promise.resolve();
    seen.push(currentContext());
    await sleep(currentContext()!, Infinity).catch(() => undefined);
    res.send("stopped");
  });
  await using server = await serve(app);
  const client = await server.client();
  client.get();
  await until(() => seen.length === 1);
  client.leave("FIN");
  await until(() => seen[0]?.err() !== undefined);
  expect(causeOf(seen[0])).toBeInstanceOf(ClientDisconnected);
});

test.each(apps)("Express %s: the current context outlasts the body parser", async (_, make) => {
  const app = make();
  app.use(contexts({ current: true }));
  app.use(express.json());
  app.post("/", (req, res) => {
    req.ctx = withValue(req.ctx, User, (req.body as { user: string }).user);
    setTimeout(() => res.send(`user=${currentContext()?.value(User)}`), 1);
  });
  await using server = await serve(app);
  const client = await server.client();
  const body = '{"user":"ann"}';
  const head = `POST / HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 14`;
  client.socket.write(`${head}\r\n\r\n`);
  await sleep(background(), 20);
  client.socket.write(body);
  expect(await client.answer()).toMatch(/user=ann$/);
});

test.each(apps)(
  "Express %s: in a router with contexts of its own, the innermost count",
  async (_, make) => {
    const seen: Record<string, Context | undefined> = {};
    const look = async (req: express.Request, res: express.Response) => {
      const ctx = (seen[req.originalUrl] = currentContext());
      if (ctx && req.method === "POST") await sleep(ctx, Infinity).catch(() => undefined);
      if (!res.headersSent) res.send(ctx === req.ctx ? "own" : typeof ctx);
    };
    const routerOf = (options: Parameters<typeof contexts>[0]) => {
      const router = make.Router();
      router.use(contexts(options));
      router.all("/", look);
      return router;
    };
    const app = make();
    app.use(contexts({ current: true }));
    app.use("/limit", routerOf({ timeout: 500 }));
    app.use("/all", routerOf({ current: "all" }));
    app.use("/off", routerOf({ current: false }));
    const mounted = make();
    mounted.use(routerOf({ timeout: 500 }));
    app.use("/mounted", mounted);
    app.use(contextErrors());
    await using server = await serve(app);
    const client = await server.client();
    const post = (path: string) =>
      client.socket.write(`POST ${path} HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n`);
    client.get("/limit");
    expect(await client.answer(1)).toMatch(/own$/);
    client.get("/off");
    expect(await client.answer(2)).toMatch(/own$/);
    for (const [i, path] of ["/limit", "/mounted"].entries()) {
      post(path);
      await client.answer(3 + i);
      await until(() => seen[path]?.err() !== undefined);
      expect(causeOf(seen[path])).toBeInstanceOf(LocalTimeout);
    }
    post("/all");
    await until(() => "/all" in seen);
    client.leave("FIN");
    await until(() => seen["/all"]?.err() !== undefined);
    expect(causeOf(seen["/all"])).toBeInstanceOf(ClientDisconnected);
  },
);

/** A POST whose client leaves while the handler waits for `go`. */
async function withoutClient(
  make: typeof express,
  handle: (req: express.Request, res: express.Response) => unknown,
) {
  const told: unknown[] = [];
  const seen: { ctx: Context; current: Context | undefined }[] = [];
  const app = make();
  app.use(contexts({ current: true }));
  app.post(
    "/",
    route(async (ctx, req, res) => {
      seen.push({ ctx, current: currentContext() });
      await until(() => ctx.err() !== undefined);
      await handle(req, res);
    }),
  );
  app.use(contextErrors());
  app.use(((error, _req, res, _next) => {
    told.push(error);
    res.status(500).end();
  }) as express.ErrorRequestHandler);
  const server = await serve(app);
  const client = await server.client();
  client.post("");
  await until(() => seen.length === 1);
  client.leave("FIN");
  const { current } = seen[0]!;
  return { told, current, [Symbol.asyncDispose]: () => server[Symbol.asyncDispose]() };
}

test.each(apps)(
  "Express %s: a bug in a POST whose client has left reaches the error middleware",
  async (_, make) => {
    const bug = new Error("a bug");
    await using request = await withoutClient(make, () => Promise.reject(bug));
    await until(() => request.current?.err() !== undefined);
    expect(causeOf(request.current)).toBeInstanceOf(RequestFinished);
    expect(request.told).toEqual([bug]);
  },
);

test.each(apps)(
  "Express %s: work of a POST that stops with its client, by req.ctx, is no failure",
  async (_, make) => {
    await using request = await withoutClient(make, (req) => sleep(req.ctx, 1));
    await until(() => request.current?.err() !== undefined);
    expect(causeOf(request.current)).toBeInstanceOf(RequestFinished);
    expect(request.told).toEqual([]);
  },
);

test("the current context of a POST ends if the client leaves in the middle of the response", async () => {
  const seen: (Context | undefined)[] = [];
  const app = express();
  app.use(contexts({ current: true }));
  app.post("/", (_req, res) => {
    seen.push(currentContext());
    const endless = new PassThrough();
    endless.pipe(res);
    endless.write("a part");
  });
  await using server = await serve(app);
  const client = await server.client();
  client.post("");
  await until(() => client.received.includes("a part"));
  expect(seen[0]?.err()).toBeUndefined();
  client.leave("FIN");
  await until(() => seen[0]?.err() !== undefined);
  expect(causeOf(seen[0])).toBeInstanceOf(RequestFinished);
});

test("a route of an application without contexts() says what to register", async () => {
  const app = express();
  app.get(
    "/",
    route((ctx) => sleep(ctx, 1)),
  );
  await using server = await serve(app);
  const client = await server.client();
  client.get();
  expect(await client.answer()).toMatch(/call app\.use\(contexts\(\)\) before the routes/);
  expect(() => route({} as never)).toThrow(/route takes a function/);
});

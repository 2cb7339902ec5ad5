import { once } from "node:events";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { connect, type AddressInfo } from "node:net";
import { expect, test, vi } from "vitest";
import express from "express";
import { Client, serve as serveHttp, until } from "../../../test/raw-http.ts";
import { contexts } from "../../express/index.ts";
import {
  background,
  cause,
  key,
  sleep,
  startWork,
  withCancel,
  withValue,
  type Context,
} from "../../index.ts";
import {
  ClientDisconnected,
  handler,
  LocalTimeout,
  requestContext,
  RequestFinished,
  serve,
  Shutdown,
  type HandlerOptions,
  type ServeOptions,
} from "../index.ts";

vi.setConfig({ testTimeout: 30_000 });

type Options = HandlerOptions<IncomingMessage, ServerResponse>;

/** A request behind `serve` whose handler waits for `go`. */
async function start(options: Options = {}, times: ServeOptions = {}) {
  let go: (error?: Error) => void = () => undefined;
  const gate = new Promise<void>((resolve, reject) => {
    go = (error) => (error ? reject(error) : resolve());
  });
  const seen: { ctx: Context; client: Context }[] = [];
  const errors: unknown[] = [];
  const server = createServer(
    handler(
      async (ctx, req, res) => {
        seen.push({ ctx, client: requestContext(req) });
        await Promise.race([gate, sleep(ctx, Infinity)]);
        res.end("written");
      },
      { onDisconnect: "continue", onError: (_, error) => errors.push(error), ...options },
    ),
  );
  const serving = serve(server, { signals: [], ...times });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const socket = connect({ port: (server.address() as AddressInfo).port, host: "127.0.0.1" });
  await once(socket, "connect");
  const asking = new Client(socket);
  asking.post("body");
  await until(() => seen.length === 1);
  return {
    ...{ serving, asking, go, errors, ...seen[0]! },
    async leave() {
      asking.leave("RST");
      await until(() => seen[0]!.client.err() !== undefined);
    },
    async [Symbol.asyncDispose]() {
      go();
      asking.leave("FIN");
      await serving.close();
    },
  };
}

test('with onDisconnect: "continue", the context outlives the client until the handler is done', async () => {
  await using run = await start();
  await run.leave();
  expect(cause(run.client)).toBeInstanceOf(ClientDisconnected);
  expect(run.ctx.err()).toBeUndefined();
  run.go();
  await until(() => run.ctx.err() !== undefined);
  expect(cause(run.ctx)).toBeInstanceOf(RequestFinished);
  expect(run.errors).toEqual([]);
});

test('with onDisconnect: "continue", a client that stays gets its response', async () => {
  await using run = await start();
  run.go();
  expect(await run.asking.answer()).toMatch(/ 200 OK[^]*written/);
  await until(() => run.ctx.err() !== undefined);
  expect(cause(run.ctx)).toBeInstanceOf(RequestFinished);
  expect(cause(run.client)).toBeInstanceOf(RequestFinished);
});

test("a handler that fails after its client has left is reported with status 500", async () => {
  const statuses: number[] = [];
  await using run = await start({ onError: (_c, _e, _q, res) => statuses.push(res.statusCode) });
  await run.leave();
  run.go(new Error("the disk is full"));
  await until(() => statuses.length === 1);
  expect(statuses).toEqual([500]);
});

test("a request that continues without its client still ends by its timeout", async () => {
  await using run = await start({ timeout: 300 });
  await run.leave();
  expect(run.ctx.err()).toBeUndefined();
  await until(() => run.ctx.err() !== undefined);
  expect(cause(run.ctx)).toBeInstanceOf(LocalTimeout);
});

test("a request that continues without its client has the values of `parent` and ends with it", async () => {
  const Name = key<string>("name");
  const parent = withCancel(withValue(background(), Name, "reports"));
  await using run = await start({ parent });
  await run.leave();
  expect([run.ctx.value(Name), run.ctx.err()]).toEqual(["reports", undefined]);
  parent.cancel(new LocalTimeout());
  expect(cause(run.ctx)).toBeInstanceOf(LocalTimeout);
});

test("a request that continues without its client ends when the recorded work under it has ended", async () => {
  await using run = await start();
  await run.leave();
  const work = startWork(run.ctx, "test.work");
  run.go();
  await sleep(background(), 50); // time for a mistake
  expect(run.ctx.err()).toBeUndefined();
  work.end();
  await until(() => run.ctx.err() !== undefined);
  expect(cause(run.ctx)).toBeInstanceOf(RequestFinished);
});

test("a handler behind `contexts` keeps its `onDisconnect`, and its own counts more", async () => {
  const seen: Context[] = [];
  const app = express();
  app.use(contexts({ onDisconnect: "continue" }));
  const wait = async (ctx: Context, _req: object, res: ServerResponse) => {
    seen.push(ctx);
    await sleep(ctx, 400);
    res.end();
  };
  app.post("/", handler(wait));
  app.get("/", handler(wait, { onDisconnect: "cancel" }));
  await using server = await serveHttp(app);
  for (const [i, ask] of (["post", "get"] as const).entries()) {
    const client = await server.client();
    if (ask === "post") client.post("body");
    else client.get();
    await until(() => seen.length === i + 1);
    client.leave("RST");
  }
  await until(() => seen.every((ctx) => ctx.err() !== undefined));
  expect(seen.map(cause)).toEqual([expect.any(RequestFinished), expect.any(ClientDisconnected)]);
});

test("a shutdown waits for a request that continues without its client", async () => {
  await using run = await start({}, { gracePeriod: 20_000 });
  await run.leave();
  let closed = false;
  const report = run.serving.close().finally(() => (closed = true));
  await sleep(background(), 200);
  expect([closed, run.ctx.err()]).toEqual([false, undefined]);
  run.go();
  expect(await report).toMatchObject({ canceled: 0, destroyed: 0 });
});

test("a shutdown ends a request that continues without its client at the end of the grace period", async () => {
  await using run = await start({}, { gracePeriod: 50, forceAfter: 20_000 });
  await run.leave();
  expect(await run.serving.close()).toMatchObject({ canceled: 1, destroyed: 0 });
  expect(cause(run.ctx)).toBeInstanceOf(Shutdown);
});

test("a request with `parent` and a limit still ends by the shutdown", async () => {
  const parent = withCancel(background());
  const options: Options = { parent, timeout: 60_000, onDisconnect: "cancel" };
  await using run = await start(options, { gracePeriod: 50, forceAfter: 20_000 });
  const report = run.serving.close();
  expect(await run.asking.answer()).toMatch(/ 503 /);
  expect(cause(run.ctx)).toBeInstanceOf(Shutdown);
  expect(await report).toMatchObject({ canceled: 1, destroyed: 0 });
});

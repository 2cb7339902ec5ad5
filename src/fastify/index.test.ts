import type { AddressInfo } from "node:net";
import fastify from "fastify";
import { expect, expectTypeOf, test, vi } from "vitest";
import { until } from "../../test/raw-http.ts";
import { frameworkSuite } from "../../test/support/framework-suite.ts";
import { fastify5 } from "../../test/support/frameworks/fastify.ts";
import { currentContext } from "../current/index.ts";
import { cause, key, sleep, withValue, type Context } from "../index.ts";
import { RequestFinished, statusOf } from "../http/index.ts";
import { wrapFetch } from "../fetch/index.ts";
import { contexts } from "./index.ts";

vi.setConfig({ testTimeout: 30_000 });

frameworkSuite(fastify5);

test("a request by inject has a context, and it ends", async () => {
  await using app = fastify();
  const seen: Context[] = [];
  await app.register(contexts, { timeout: 5_000 });
  await app.register(async (inner) => {
    inner.addHook("preHandler", async (request) => void seen.push(request.ctx));
    inner.post("/", async (request) => {
      expectTypeOf(request.ctx).toEqualTypeOf<Context>();
      seen.push(request.ctx);
      return { ok: true };
    });
  });
  const answer = await app.inject({ method: "POST", url: "/", payload: { a: 1 } });
  expect(answer.json()).toEqual({ ok: true });
  expect(seen[0]).toBe(seen[1]);
  await until(() => seen[0]!.err() !== undefined);
  expect(cause(seen[0]!)).toBeInstanceOf(RequestFinished);
});

test("a custom error handler finds reply.statusCode set, and gets the original error", async () => {
  await using app = fastify();
  const told: unknown[] = [];
  await app.register(contexts, { timeout: 20 });
  app.setErrorHandler(async (error, _request, reply) => {
    told.push(statusOf(error), reply.statusCode);
    return { sorry: true };
  });
  let slow: Promise<unknown> | undefined;
  app.get("/stops", (request) => sleep(request.ctx, Infinity));
  app.get("/ignores", () => (slow = new Promise((resolve) => setTimeout(resolve, 100, "late"))));
  for (const url of ["/stops", "/ignores"]) {
    const answer = await app.inject(url);
    expect(answer.statusCode).toBe(503);
    expect(answer.headers["retry-after"]).toBe("1");
    expect(answer.json()).toEqual({ sorry: true });
  }
  await slow;
  expect(told).toEqual([503, 503, 503, 503]);
});

test("an error that is no context error keeps its status", async () => {
  await using app = fastify();
  await app.register(contexts, {});
  app.get("/", () => {
    throw Object.assign(new Error("teapot"), { statusCode: 418 });
  });
  const answer = await app.inject("/");
  expect(answer.statusCode).toBe(418);
  expect(answer.json()).toMatchObject({ message: "teapot" });
});

test("a client sees neither the URL of a request that was not sent, nor a value of its context", async () => {
  await using app = fastify();
  const Token = key<string>("token", { secret: true });
  const send = wrapFetch({
    ...{ trusted: ["internal.example"], minimum: 60_000, values: [[Token, "x-token"]] },
  });
  await app.register(contexts, { timeout: 30_000 });
  app.get("/short", (request) => send(request.ctx, "http://internal.example/accounts/7"));
  app.get("/bad", (request) =>
    wrapFetch({ trusted: ["internal.example"], values: [[Token, "x-token"]] })(
      withValue(request.ctx, Token, "hunter2\r"),
      "http://internal.example/accounts/7",
    ),
  );
  for (const [url, status] of [
    ["/short", 503],
    ["/bad", 500],
  ] as const) {
    const answer = await app.inject(url);
    expect(answer.statusCode).toBe(status);
    expect(answer.body).not.toMatch(/internal|accounts|hunter2|token/);
  }
});

test("request.ctx says what to register when an earlier hook reads it", async () => {
  await using app = fastify();
  app.addHook("onRequest", async (request) => void request.ctx);
  await app.register(contexts, {});
  app.get("/", () => "ok");
  expect((await app.inject("/")).body).toContain("request.ctx is there from onRequest on");
});

test("hooks after contexts, body parsing and the handler see the current context", async () => {
  const User = key<string>("user");
  await using app = fastify();
  await app.register(contexts, { current: true });
  const seen: unknown[] = [];
  const look = async () => {
    await Promise.resolve();
    seen.push(currentContext()?.value(User));
  };
  app.addHook("onRequest", async (request) => {
    await Promise.resolve();
    request.ctx = withValue(request.ctx, User, "ann");
  });
  app.addHook("onRequest", look);
  app.addHook("preParsing", look);
  app.addHook("preValidation", look);
  app.addHook("preHandler", look);
  app.addHook("preSerialization", look);
  app.post("/", async (request) => {
    await look();
    return request.body;
  });
  await app.listen({ port: 0, host: "127.0.0.1" });
  const { port } = app.server.address() as AddressInfo;
  const response = await fetch(`http://127.0.0.1:${port}/`, {
    ...{ method: "POST", headers: { "content-type": "application/json" }, body: '{"a":1}' },
  });
  expect(await response.json()).toEqual({ a: 1 });
  expect(seen).toEqual(Array(6).fill("ann"));
});

test("the current context of a POST by inject ends with the response", async () => {
  await using app = fastify();
  await app.register(contexts, { current: true });
  let seen: Context | undefined;
  app.post("/", () => {
    seen = currentContext();
    return "ok";
  });
  expect((await app.inject({ method: "POST", url: "/" })).body).toBe("ok");
  await until(() => seen?.err() !== undefined);
  expect(cause(seen!)).toBeInstanceOf(RequestFinished);
});

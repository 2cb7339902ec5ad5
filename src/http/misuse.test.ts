/** Mistakes in calls of eightysix/http: each message says what was passed and what to do. */
import { createServer, IncomingMessage, ServerResponse } from "node:http";
import { Socket } from "node:net";
import express from "express";
import fastify from "fastify";
import { describe, expect, test, vi } from "vitest";
import { serve as listen } from "../../test/raw-http.ts";
import { contexts } from "../fastify/index.ts";
import { handler, middleware, requestContext, serve } from "./index.ts";

vi.setConfig({ testTimeout: 30_000 });

const never = (x: unknown): never => x as never;
const request = () => new IncomingMessage(new Socket());

describe("`requestContext`", () => {
  test.each([
    ["undefined", undefined, /got undefined; pass the req/],
    ["null", null, /got null; pass the req/],
    ["a string", "/path", /got the string "\/path"; pass the req/],
    ["an empty object", {}, /got an object of class Object; pass the req/],
    ["a Request of fetch", new Request("http://x"), /class Request; for a Request of fetch, use/],
    ["a response", new ServerResponse(request()), /class ServerResponse; pass req, the first/],
  ])("rejects %s as the request", (_, req, words) => {
    expect(() => requestContext(never(req))).toThrow(TypeError);
    expect(() => requestContext(never(req))).toThrow(
      /^requestContext needs the request of a node:/,
    );
    expect(() => requestContext(never(req))).toThrow(words);
  });

  test("still returns the context of a request whose options are good", () => {
    const req = request();
    const ctx = requestContext(req, { response: new ServerResponse(req), timeout: 1_000 });
    expect(ctx.err()).toBeUndefined();
  });
});

const builders: [string, string, (options: never) => unknown][] = [
  ["handler", "handler(fn, options)", (options) => handler(() => undefined, options)],
  ["middleware", "middleware(options)", (options) => middleware(options)],
  [
    "requestContext",
    "requestContext(req, options)",
    (options: object) => {
      const req = request();
      return requestContext(req, { response: new ServerResponse(req), ...options });
    },
  ],
];

describe.each(builders)("the options of `%s`", (_, call, build) => {
  test.each([0, -1, NaN, -Infinity])("may not have timeout: %d", (timeout) => {
    expect(() => build(never({ timeout }))).toThrow(RangeError);
    expect(() => build(never({ timeout }))).toThrow(
      `timeout is a number of milliseconds, more than 0, got number ${timeout}; leave it out, or pass Infinity, for no limit`,
    );
  });

  test.each([
    ["5s", 'the string "5s"'],
    [null, "null"],
    [5n, "bigint 5"],
  ])("may not have timeout: %o", (timeout, shown) => {
    expect(() => build(never({ timeout }))).toThrow(TypeError);
    expect(() => build(never({ timeout }))).toThrow(`more than 0, got ${shown};`);
  });

  test("may have timeout: undefined and timeout: Infinity, which mean no limit", () => {
    for (const timeout of [undefined, Infinity]) {
      expect(() => build(never({ timeout }))).not.toThrow();
    }
  });

  test("may not have an unknown name, and the message lists the known ones", () => {
    expect(() => build(never({ timout: 5 }))).toThrow(TypeError);
    expect(() => build(never({ timout: 5 }))).toThrow(
      `${call} got the unknown option "timout"; its options are: timeout, deadline, parent`,
    );
  });

  test("may not have an unknown name in `deadline`", () => {
    expect(() => build(never({ deadline: { header: ["grpc-timeout"] } }))).toThrow(
      `deadline of ${call} got the unknown option "header"; its options are: headers, trust, strict`,
    );
  });

  test("may not have a parent that is an AbortSignal", () => {
    expect(() => build(never({ parent: new AbortController().signal }))).toThrow(
      "parent is a Context, got an object of class AbortSignal; for an AbortSignal, pass withSignal(background(), signal)",
    );
  });
});

test("`handler` rejects a listener that is not a function", () => {
  expect(() => handler(never(undefined))).toThrow(
    "handler needs a function to run, got undefined; write handler((ctx, req, res) => …, options)",
  );
});

test("`middleware` that is registered without a call says so in the response to a request", async () => {
  const app = express();
  app.use(never(middleware));
  await using server = await listen(app);
  const client = await server.client();
  client.get();
  expect(await client.answer()).toMatch(/ 500 [^]*call it when you register the middleware/);
});

test("Fastify's plugin ignores options that Fastify itself reads, and checks its own", async () => {
  const register = (options: object) => {
    const app = fastify();
    app.register(contexts, options);
    return app.ready();
  };
  const own = { prefix: "/api", name: "contexts", logLevel: "warn", logSerializers: {} };
  await expect(register(own)).resolves.toBeDefined();
  await expect(register({ timeout: 0 })).rejects.toThrow("timeout is a number of milliseconds");
  await expect(register({ timeuot: 5_000 })).rejects.toThrow('unknown option "timeuot"');
});

test.each(["before", "after"])(
  "Fastify's plugin refuses the options of a route that is added %s the plugin is loaded",
  async (when) => {
    const app = fastify();
    const loaded = app.register(contexts);
    if (when === "after") await loaded;
    const config = { contexts: { onDisconect: "continue" } };
    const add = () => app.get("/", { config: never(config) }, () => "ok");
    const refusal = 'config.contexts of a route got the unknown option "onDisconect"';
    if (when === "after") expect(add).toThrow(refusal);
    else {
      add();
      const { statusCode, body } = await app.inject("/");
      expect([statusCode, body]).toEqual([500, expect.stringContaining("onDisconect")]);
    }
  },
);

describe("`serve`", () => {
  const server = createServer();

  test.each(["delay", "gracePeriod", "forceAfter"])("names `%s` if it is no duration", (name) => {
    const words = `${name} is a number of milliseconds from 0 on, got`;
    for (const [ms, shown, Refusal] of [
      ["7s", 'the string "7s"', TypeError],
      [null, "null", TypeError],
      [NaN, "number NaN", RangeError],
      [-1, "number -1", RangeError],
    ] as const) {
      const call = () => serve(server, never({ signals: [], [name]: ms }));
      expect(call).toThrow(Refusal);
      expect(call).toThrow(`${words} ${shown}; pass a number, or Infinity for no limit`);
    }
  });

  test("rejects an unknown option and names the known ones", () => {
    expect(() => serve(server, never({ grace: 1 }))).toThrow(
      'serve(server, options) got the unknown option "grace"; its options are: signals, until, delay, gracePeriod, forceAfter',
    );
  });

  test("rejects an `until` that is not a context", () => {
    expect(() => serve(server, never({ signals: [], until: 5 }))).toThrow(
      "until is a Context, got number 5",
    );
  });

  test("rejects signals that are not in an array", () => {
    expect(() => serve(server, never({ signals: "SIGTERM" }))).toThrow(
      'serve takes signals in an array, got the string "SIGTERM"; pass ["SIGTERM"]',
    );
  });

  test.each([
    [
      "an Express application",
      express(),
      /got a function; for an application, pass the server that/,
    ],
    ["an object with `listen`", { listen: () => 0, close: () => 0 }, /app\.server in Fastify/],
    ["undefined", undefined, /got undefined; pass the server that createServer of node:http/],
    ["null", null, /got null; pass the server/],
    ["an options object", { delay: 0 }, /got an object of class Object; pass the server/],
  ])("rejects %s as the server", (_, it, words) => {
    expect(() => serve(never(it))).toThrow(TypeError);
    expect(() => serve(never(it))).toThrow(/^serve needs a server as its first argument/);
    expect(() => serve(never(it))).toThrow(words);
  });

  test("accepts durations of 0 and Infinity", async () => {
    const options = { signals: [], delay: 0, gracePeriod: Infinity, forceAfter: 0 };
    await using serving = serve(createServer(), options);
    expect(serving.draining).toBe(false);
  });
});

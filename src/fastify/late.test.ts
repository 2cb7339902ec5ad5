/** What becomes of a handler's reply when the request has been answered in its place. */
import type { AddressInfo } from "node:net";
import fastify, { type FastifyInstance, type FastifyReply } from "fastify";
import { beforeEach, describe, expect, test, vi } from "vitest";
import { until } from "../../test/raw-http.ts";
import { failOnEscapes } from "../../test/support/escapes.ts";
import { sleep, type Context } from "../index.ts";
import { ManualClock, useClock } from "../testing/index.ts";
import { contexts } from "./index.ts";

vi.setConfig({ testTimeout: 30_000 });

failOnEscapes();

// A limit passes only when a handler or hook says so, however slow the machine is.
const clock = new ManualClock();
const LIMIT = 20;
const passLimit = () => setImmediate(() => clock.advance(LIMIT));

beforeEach(() => {
  const used = useClock(clock);
  return () => used[Symbol.dispose]();
});

const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

/** Lets the limit pass, and waits for some time in which Fastify works on the answer. */
async function ignoreLimit(ctx: Context): Promise<void> {
  passLimit();
  await sleep(ctx, Infinity).catch(() => undefined);
  await pause(20);
}

/** Returns the status, the headers and the body of two requests on one connection. */
async function ask(app: FastifyInstance): Promise<Response[]> {
  await app.listen({ port: 0, host: "127.0.0.1" });
  const { port } = app.server.address() as AddressInfo;
  const answers: Response[] = [];
  for (let i = 0; i < 2; i++) {
    const response = await fetch(`http://127.0.0.1:${port}/`);
    const body = await response.text();
    answers.push(new Response(body, { status: response.status, headers: response.headers }));
  }
  return answers;
}

/** What a handler does with its reply 20 ms after its limit. */
const deeds: Record<string, (reply: FastifyReply, raw: FastifyReply["raw"]) => unknown> = {
  "returns a value": () => ({ late: true }),
  "returns nothing": () => undefined,
  throws: () => {
    throw new Error("a late bug");
  },
  "sends a value": (reply) => reply.code(200).type("text/csv").send("late"),
  "sends an error": (reply) => reply.send(new Error("late")),
  redirects: (reply) => reply.redirect("/late"),
  "sets headers and trailers": (reply) => {
    reply.header("content-length", "4").header("x-late", "late");
    reply.trailer("x-late", (_reply, _payload, done) => done(null, "late"));
    return "late";
  },
  "uses the raw response": (_reply, raw) => raw.writeHead(200, { "x-late": "late" }).end("late"),
  hijacks: (reply) => reply.hijack().raw.end("late"),
};

/** The message of an answer that the application's own error handler sends. */
const MINE = "the text of my error handler";

const paths: Record<string, (app: FastifyInstance) => unknown> = {
  "an async onError hook": (app) => app.addHook("onError", () => pause(40)),
  "an async error handler": (app) =>
    app.setErrorHandler(async () => {
      await pause(40);
      return { message: MINE };
    }),
  "an async onSend hook": (app) => app.addHook("onSend", () => pause(40)),
  "all of these": (app) => {
    app.addHook("onError", () => pause(15));
    app.addHook("onSend", () => pause(15));
    app.setErrorHandler(async (_error, _request, reply) => {
      await pause(15);
      return reply.send({ message: MINE });
    });
  },
};

describe.each(Object.entries(paths))("with %s", (path, addTo) => {
  const hasHandler = ["an async error handler", "all of these"].includes(path);
  const message = hasHandler ? MINE : "Service Unavailable";

  test.each(Object.entries(deeds))(
    "a handler that later %s gets its 503, and changes nothing of it",
    async (__, deed) => {
      await using app = fastify();
      await app.register(contexts, { timeout: LIMIT });
      addTo(app);
      let done = 0;
      app.get("/", async (request, reply) => {
        const { raw } = reply;
        await ignoreLimit(request.ctx);
        done++;
        return deed(reply, raw);
      });
      const answers = await ask(app);
      await until(() => done === 2);
      await pause(60);
      for (const answer of answers) {
        expect(answer.status).toBe(503);
        expect(answer.headers.get("cache-control")).toBe("no-store");
        expect(answer.headers.get("retry-after")).toBe("1");
        expect(answer.headers.get("content-type")).toContain("application/json");
        expect([...answer.headers.keys()]).not.toContain("x-late");
        const body = await answer.text();
        expect(JSON.parse(body)).toHaveProperty("message", message);
        expect(body).not.toContain("late");
      }
    },
  );

  test("a handler whose value is on its way when the limit passes is answered once", async () => {
    await using app = fastify();
    await app.register(contexts, { timeout: LIMIT });
    addTo(app);
    app.addHook("preSerialization", async (request, _reply, payload: object) => {
      if ("mine" in payload) await ignoreLimit(request.ctx);
      return payload;
    });
    app.get("/", () => ({ mine: true }));
    const answers = await ask(app);
    await pause(100);
    for (const answer of answers) {
      expect(answer.status).toBe(503);
      expect(await answer.json()).toHaveProperty("message", message);
    }
  });
});

test("an answer keeps what plugins have stored on the reply, and drops the handler's trailers", async () => {
  await using app = fastify();
  const stored: unknown[] = [];
  const Cookies = Symbol("fastify.reply.setCookies"); // as @fastify/cookie names it
  app.decorateReply(Cookies as never, null as never);
  app.decorateReply("startedBy", "");
  await app.register(contexts, { timeout: LIMIT });
  app.addHook("onRequest", async (_request, reply) => {
    Object.assign(reply, { [Cookies]: new Map([["a", "b"]]), startedBy: "ann", more: 1 });
    reply.header("access-control-allow-origin", "*");
  });
  app.addHook("onResponse", async () => undefined); // makes Fastify take the time
  app.addHook("onSend", async (_request, reply) => {
    const { startedBy, more, [Cookies]: cookies } = reply as never;
    stored.push(startedBy, more, [...(cookies as Map<string, string>)]);
    stored.push(reply.elapsedTime > 0, reply.statusCode);
  });
  app.get("/", (_request, reply) => {
    reply.trailer("x-checksum", (_reply, _payload, done) => done(null, "1"));
    reply.serializer(() => "not the handler's");
    passLimit();
    return new Promise(() => undefined);
  });
  const [answer] = await ask(app);
  expect(answer?.status).toBe(503);
  expect(answer?.headers.get("access-control-allow-origin")).toBe("*");
  expect(answer?.headers.get("trailer")).toBeNull();
  expect(await answer?.json()).toMatchObject({ message: "Service Unavailable" });
  expect(stored.slice(0, 5)).toEqual(["ann", 1, [["a", "b"]], true, 503]);
});

test("a hook that is still running when the limit passes starts no handler", async () => {
  await using app = fastify();
  let started = 0;
  await app.register(contexts, { timeout: LIMIT });
  app.addHook("onError", () => pause(60));
  app.addHook("preHandler", (request) => ignoreLimit(request.ctx));
  app.get("/", () => `started ${++started}`);
  const answers = await ask(app);
  await pause(60);
  expect(answers.map(({ status }) => status)).toEqual([503, 503]);
  expect(started).toBe(0);
});

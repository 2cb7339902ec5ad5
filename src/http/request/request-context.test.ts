import type { IncomingMessage, ServerResponse } from "node:http";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { serve, until } from "../../../test/raw-http.ts";
import {
  afterFunc,
  background,
  cause,
  CanceledError,
  isDeadlineExceeded,
  key,
  startWork,
  stopped,
  withCancel,
  withValue,
  type Context,
} from "../../index.ts";
import {
  ClientDisconnected,
  LocalTimeout,
  requestContext,
  RequestFinished,
  Shutdown,
} from "../index.ts";

vi.setConfig({ testTimeout: 30_000 });

type Listener = (req: IncomingMessage, res: ServerResponse) => void;

const rejections: unknown[] = [];
const warnings: Error[] = [];
const onRejection = (error: unknown): unknown => rejections.push(error);
const onWarning = (warning: Error): unknown => warnings.push(warning);
beforeEach(() => {
  process.on("unhandledRejection", onRejection).on("warning", onWarning);
});
afterEach(() => {
  process.off("unhandledRejection", onRejection).off("warning", onWarning);
  expect([...rejections.splice(0), ...warnings.splice(0)]).toEqual([]);
});

/** Whether somebody watches the request's context or not, the same must happen. */
const watching: [string, (ctx: Context) => unknown][] = [
  ["unwatched", () => undefined],
  ["signal read", (ctx) => ctx.signal],
  ["awaited", (ctx) => afterFunc(ctx, () => undefined)],
];

/** Bun's node:http does not announce requests: there, the response is passed. */
const told = (response: ServerResponse) => ("Bun" in globalThis ? { response } : {});

/** A server that takes the context of each request, and then does what the test says. */
async function contexts(listener: Listener = () => undefined, watch = (_: Context): unknown => 0) {
  const seen: Context[] = [];
  const served = await serve((req, res) => {
    const ctx = requestContext(req, told(res));
    watch(ctx);
    seen.push(ctx);
    listener(req, res);
  });
  return Object.assign(served, { seen });
}

const isDone = (ctx: Context | undefined): boolean => ctx?.err() !== undefined;

describe.each(watching)("%s", (_, watch) => {
  const begin: Record<string, Listener> = {
    "that waits": () => undefined,
    "that has read the body": (req) => req.resume(),
    "that streams": (_, res) => res.write("a part"),
  };
  for (const how of ["FIN", "RST", "half-close"] as const) {
    for (const method of ["get", "post", "post with its body in flight"] as const) {
      for (const [what, listener] of Object.entries(begin)) {
        test(`${method} to a handler ${what}: done when the client leaves by ${how}`, async () => {
          await using server = await contexts(listener, watch);
          const client = await server.client();
          if (method === "get") client.get();
          else client.post("body", method === "post" ? 0 : 100);
          await until(() => server.seen.length === 1);
          const [ctx] = server.seen as [Context];
          expect(ctx.err()).toBeUndefined();
          client.leave(how);
          await until(() => isDone(ctx));
          expect(ctx.err()).toBeInstanceOf(CanceledError);
          expect(cause(ctx)).toBeInstanceOf(ClientDisconnected);
          expect(ctx.signal.reason).toBe(ctx.err());
        });
      }
    }
  }

  test("finished when the response is, on a connection that lives on", async () => {
    await using server = await contexts((req, res) => {
      if (req.method === "POST") req.on("data", () => undefined).on("end", () => res.end("ok"));
      else res.end("ok");
    }, watch);
    const client = await server.client();
    client.get();
    await client.answer(1);
    client.post("body");
    await client.answer(2);
    client.get();
    await client.answer(3);
    await until(() => server.seen.every(isDone));
    expect(server.seen.map(cause)).toEqual(Array(3).fill(expect.any(RequestFinished)));
    expect(server.sockets.size).toBe(1);
  });

  test.each(["HTTP/1.0", "HTTP/1.1"])(
    "finished on a connection for one request (%s)",
    async (v) => {
      for (const size of [2, 1 << 20]) {
        await using server = await contexts((_, res) => res.end(Buffer.alloc(size)), watch);
        const client = await server.client();
        client.socket.write(`GET / ${v}\r\nHost: x\r\nConnection: close\r\n\r\n`);
        await until(() => client.ended);
        client.leave("FIN");
        await until(() => isDone(server.seen[0]));
        expect(cause(server.seen[0]!)).toBeInstanceOf(RequestFinished);
      }
    },
  );

  test("pipelined requests: gone together, also those whose turn has not come", async () => {
    await using server = await contexts(undefined, watch);
    const client = await server.client();
    for (let i = 0; i < 15; i++) client.get();
    await until(() => server.seen.length === 15);
    client.leave("RST");
    await until(() => server.seen.every(isDone));
    expect(server.seen.map(cause)).toEqual(Array(15).fill(expect.any(ClientDisconnected)));
  });

  test("pipelined requests: finished in turn, and no listener stays on the connection", async () => {
    const held: ServerResponse[] = [];
    await using server = await contexts((_, res) => held.push(res), watch);
    const client = await server.client();
    client.get();
    await until(() => held.length === 1);
    held.pop()?.end("first");
    await client.answer();
    const [socket] = [...server.sockets];
    const before = socket?.listenerCount("close");
    for (let i = 0; i < 15; i++) client.get();
    await until(() => held.length === 15);
    for (const res of held.reverse()) res.end("ok"); // the first comes last
    await client.answer(16);
    await until(() => server.seen.every(isDone));
    expect(server.seen.map(cause)).toEqual(Array(16).fill(expect.any(RequestFinished)));
    expect(socket?.listenerCount("close")).toBe(before);
  });

  test.each([undefined, new Error("broken")])(
    "pipelined requests: the one before is finished, though the next closes the connection (%s)",
    async (error) => {
      const held: ServerResponse[] = [];
      await using server = await contexts((_, res) => held.push(res), watch);
      const client = await server.client();
      for (let i = 0; i < 3; i++) client.get();
      await until(() => held.length === 3);
      held[2]?.on("error", () => undefined).destroy(error); // when its turn comes
      held[1]?.end("second");
      held[0]?.end("first");
      await client.answer(2);
      await until(() => server.seen.every(isDone));
      const finished: unknown = expect.any(RequestFinished);
      const gone: unknown = expect.any(ClientDisconnected);
      expect(server.seen.map(cause)).toEqual([finished, finished, gone]);
    },
  );

  test.each(["RST", "FIN", "the server"] as const)(
    "pipelined requests: a large answer was not handed over if %s breaks it, whoever waits behind",
    async (who) => {
      await using server = await contexts((_, res) => res.end(Buffer.alloc(64 << 20)), watch);
      const client = await server.client();
      client.socket.pause();
      client.get();
      client.get();
      await until(() => server.seen.length === 2);
      if (who !== "the server") client.leave(who);
      else for (const socket of server.sockets) socket.destroy();
      await until(() => server.seen.every(isDone));
      expect(server.seen.map(cause)).toEqual(Array(2).fill(expect.any(ClientDisconnected)));
    },
  );

  test("a large answer that is reset on its way was not handed over", async () => {
    await using server = await contexts((_, res) => res.end(Buffer.alloc(64 << 20)), watch);
    const client = await server.client();
    client.socket.pause();
    client.get();
    await until(() => server.seen.length === 1);
    client.leave("RST");
    await until(() => isDone(server.seen[0]));
    expect(cause(server.seen[0]!)).toBeInstanceOf(ClientDisconnected);
  });

  test("a large answer is not handed over either if the server closes the connection", async () => {
    await using server = await contexts((_, res) => res.end(Buffer.alloc(64 << 20)), watch);
    const client = await server.client();
    client.socket.pause();
    client.get();
    await until(() => server.seen.length === 1);
    for (const socket of server.sockets) socket.destroy();
    await until(() => isDone(server.seen[0]));
    expect(cause(server.seen[0]!)).toBeInstanceOf(ClientDisconnected);
  });

  test("a large answer to a slow client is finished when all of it was handed over", async () => {
    await using server = await contexts((_, res) => res.end(Buffer.alloc(16 << 20)), watch);
    const client = await server.client();
    client.socket.pause();
    client.get();
    await until(() => server.seen.length === 1);
    expect(isDone(server.seen[0])).toBe(false);
    client.socket.resume();
    await until(() => isDone(server.seen[0]));
    expect(cause(server.seen[0]!)).toBeInstanceOf(RequestFinished);
  });

  test("Expect: 100-continue changes nothing", async () => {
    await using server = await contexts((req, res) => {
      req.resume().on("end", () => res.end("ok"));
    }, watch);
    const client = await server.client();
    const head = "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\nExpect: 100-continue\r\n\r\n";
    client.socket.write(head);
    await client.answer();
    client.socket.write("body");
    await client.answer(2);
    expect(client.statuses).toEqual([100, 200]);
    await until(() => isDone(server.seen[0]));
    expect(cause(server.seen[0]!)).toBeInstanceOf(RequestFinished);
    client.socket.write(head);
    await until(() => server.seen.length === 2);
    client.leave("FIN");
    await until(() => isDone(server.seen[1]));
    expect(cause(server.seen[1]!)).toBeInstanceOf(ClientDisconnected);
  });
});

describe("asked for late", () => {
  async function request(listener: Listener = () => undefined) {
    const seen: { req: IncomingMessage; res: ServerResponse; closed: boolean }[] = [];
    const served = await serve((req, res) => {
      const one = { req, res, closed: false };
      req.socket.on("close", () => (one.closed = true));
      seen.push(one);
      listener(req, res);
    });
    return Object.assign(served, { seen });
  }

  test("gone before", async () => {
    await using server = await request();
    const client = await server.client();
    client.get();
    client.get(); // and one in line
    await until(() => server.seen.length === 2);
    client.leave("RST");
    await until(() => server.seen.every(({ closed }) => closed));
    for (const { req } of server.seen) {
      expect(cause(requestContext(req))).toBeInstanceOf(ClientDisconnected);
    }
  });

  test("finished before", async () => {
    await using server = await request((_, res) => res.end("ok"));
    const client = await server.client();
    client.get();
    await client.answer();
    await until(() => server.seen[0]!.res.destroyed);
    expect(cause(requestContext(server.seen[0]!.req))).toBeInstanceOf(RequestFinished);
  });

  test("finished before, on a connection that was closed later", async () => {
    await using server = await request((_, res) => res.end("ok"));
    const client = await server.client();
    client.get();
    await client.answer();
    client.leave("FIN");
    await until(() => server.seen[0]!.closed);
    expect(cause(requestContext(server.seen[0]!.req))).toBeInstanceOf(RequestFinished);
  });

  test("a large answer that was reset on its way", async () => {
    await using server = await request((_, res) => res.end(Buffer.alloc(64 << 20)));
    const client = await server.client();
    client.socket.pause();
    client.get();
    await until(() => server.seen.length === 1);
    client.leave("RST");
    await until(() => server.seen[0]!.closed);
    expect(cause(requestContext(server.seen[0]!.req))).toBeInstanceOf(ClientDisconnected);
  });

  test("ended, but not handed over yet", async () => {
    await using server = await request((_, res) => res.end(Buffer.alloc(16 << 20)));
    const client = await server.client();
    client.socket.pause();
    client.get();
    await until(() => server.seen.length === 1);
    const ctx = requestContext(server.seen[0]!.req);
    expect(ctx.err()).toBeUndefined();
    client.leave("RST");
    await until(() => isDone(ctx));
    expect(cause(ctx)).toBeInstanceOf(ClientDisconnected);
  });

  test("in the middle", async () => {
    await using server = await request((_, res) => res.write("a part"));
    const client = await server.client();
    client.get();
    await client.answer();
    const [{ req, res }] = server.seen as [(typeof server.seen)[0]];
    const ctx = requestContext(req);
    expect(ctx.err()).toBeUndefined();
    res.end();
    await until(() => isDone(ctx));
    expect(cause(ctx)).toBeInstanceOf(RequestFinished);
  });
});

test("one context for each request, however often it is asked for", async () => {
  const seen: Context[] = [];
  await using server = await serve((req, res) => {
    seen.push(requestContext(req, told(res)), requestContext(req, { response: res, timeout: 1 }));
    expect(seen.at(-1)?.deadline()).toBeUndefined();
    res.end();
  });
  const client = await server.client();
  client.get();
  await client.answer(1);
  client.get();
  await client.answer(2);
  expect(seen[0]).toBe(seen[1]);
  expect(seen[2]).toBe(seen[3]);
  expect(seen[0]).not.toBe(seen[2]);
});

test("the server's own limit", async () => {
  let ctx: Context | undefined;
  await using server = await serve((req, res) => {
    ctx = requestContext(req, { timeout: 20, ...told(res) });
  });
  const client = await server.client();
  client.get();
  await until(() => isDone(ctx));
  expect(isDeadlineExceeded(ctx!.err())).toBe(true);
  expect(cause(ctx!)).toBeInstanceOf(LocalTimeout);
  client.leave("FIN");
  await until(() => server.sockets.size === 0);
  expect(cause(ctx!)).toBeInstanceOf(LocalTimeout); // the first end wins
});

test("a parent ends it and gives it values", async () => {
  const Name = key<string>("name");
  const parent = withCancel(withValue(background(), Name, "reports"));
  let ctx: Context | undefined;
  await using server = await serve((req, res) => {
    ctx = requestContext(req, { parent, ...told(res) });
  });
  const client = await server.client();
  client.get();
  await until(() => ctx !== undefined);
  expect(ctx?.value(Name)).toBe("reports");
  parent.cancel(new Shutdown());
  expect(cause(ctx!)).toBeInstanceOf(Shutdown);
});

test("it keeps a ledger: work that outlives the client gets a receipt", async () => {
  await using server = await contexts();
  const client = await server.client();
  client.get();
  await until(() => server.seen.length === 1);
  const [ctx] = server.seen as [Context];
  const work = startWork(ctx, "test.work", "a report");
  client.leave("RST");
  await until(() => isDone(ctx));
  work.end();
  expect(await stopped(ctx)).toMatchObject([{ kind: "test.work", reason: "canceled" }]);
});

test("work left over after the answer is finished, not canceled", async () => {
  await using server = await contexts((_, res) => res.end("ok"));
  const client = await server.client();
  client.get();
  await until(() => server.seen.length === 1);
  const [ctx] = server.seen as [Context];
  const work = startWork(ctx, "test.work");
  await until(() => isDone(ctx));
  work.end();
  expect(await stopped(ctx)).toMatchObject([{ reason: "finished" }]);
});

test("where the platform does not tell the response, it is passed, or Express's req.res", async () => {
  const seen: Context[] = [];
  await using server = await serve((req, res) => {
    const { socket } = req; // of a request that started before this module was loaded
    expect(() => requestContext({ socket })).toThrow(/pass { response }/);
    seen.push(requestContext({ socket }, { response: res }));
    seen.push(requestContext(Object.assign({ socket }, { res })));
    res.end();
  });
  const client = await server.client();
  client.get();
  await client.answer();
  await until(() => seen.length === 2 && seen.every(isDone));
  expect(seen.map(cause)).toEqual(Array(2).fill(expect.any(RequestFinished)));
});

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

/** The same must happen whether the context of the request is watched or not. */
const watching: [string, (ctx: Context) => unknown][] = [
  ["a context that is not watched", () => undefined],
  ["a context whose signal was read", (ctx) => ctx.signal],
  ["a context with an `afterFunc`", (ctx) => afterFunc(ctx, () => undefined)],
];

/** In Bun, node:http does not announce requests, so the tests pass the response. */
const responseInBun = (response: ServerResponse) => ("Bun" in globalThis ? { response } : {});

/** Starts a server that creates the context of each request and then calls `listener`. */
async function serveContexts(
  listener: Listener = () => undefined,
  watch = (_: Context): unknown => 0,
) {
  const seen: Context[] = [];
  const served = await serve((req, res) => {
    const ctx = requestContext(req, responseInBun(res));
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
    for (const method of ["get", "post", "post with an unfinished body"] as const) {
      for (const [what, listener] of Object.entries(begin)) {
        test(`of a ${method} to a handler ${what} ends when the client disconnects by ${how}`, async () => {
          await using server = await serveContexts(listener, watch);
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

  test("finishes with the response, on a connection that serves more requests", async () => {
    await using server = await serveContexts((req, res) => {
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
    "finishes with the response, on a connection that serves one request (%s)",
    async (v) => {
      for (const size of [2, 1 << 20]) {
        await using server = await serveContexts((_, res) => res.end(Buffer.alloc(size)), watch);
        const client = await server.client();
        client.socket.write(`GET / ${v}\r\nHost: x\r\nConnection: close\r\n\r\n`);
        await until(() => client.ended);
        client.leave("FIN");
        await until(() => isDone(server.seen[0]));
        expect(cause(server.seen[0]!)).toBeInstanceOf(RequestFinished);
      }
    },
  );

  test("of a pipelined request ends when the client disconnects, even if its turn has not come", async () => {
    await using server = await serveContexts(undefined, watch);
    const client = await server.client();
    for (let i = 0; i < 15; i++) client.get();
    await until(() => server.seen.length === 15);
    client.leave("RST");
    await until(() => server.seen.every(isDone));
    expect(server.seen.map(cause)).toEqual(Array(15).fill(expect.any(ClientDisconnected)));
  });

  test("of a pipelined request finishes in its turn, and leaves no listener on the connection", async () => {
    const held: ServerResponse[] = [];
    await using server = await serveContexts((_, res) => held.push(res), watch);
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
    "of a pipelined request is finished although the next one closes the connection (%s)",
    async (error) => {
      const held: ServerResponse[] = [];
      await using server = await serveContexts((_, res) => held.push(res), watch);
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
    "of a large response is canceled if %s breaks the connection while a pipelined request waits",
    async (who) => {
      await using server = await serveContexts((_, res) => res.end(Buffer.alloc(64 << 20)), watch);
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

  test("of a large response is canceled if the client resets the connection on its way", async () => {
    await using server = await serveContexts((_, res) => res.end(Buffer.alloc(64 << 20)), watch);
    const client = await server.client();
    client.socket.pause();
    client.get();
    await until(() => server.seen.length === 1);
    client.leave("RST");
    await until(() => isDone(server.seen[0]));
    expect(cause(server.seen[0]!)).toBeInstanceOf(ClientDisconnected);
  });

  test("of a large response is canceled if the server closes the connection on its way", async () => {
    await using server = await serveContexts((_, res) => res.end(Buffer.alloc(64 << 20)), watch);
    const client = await server.client();
    client.socket.pause();
    client.get();
    await until(() => server.seen.length === 1);
    for (const socket of server.sockets) socket.destroy();
    await until(() => isDone(server.seen[0]));
    expect(cause(server.seen[0]!)).toBeInstanceOf(ClientDisconnected);
  });

  test("of a large response to a slow client finishes when the whole response was handed over", async () => {
    await using server = await serveContexts((_, res) => res.end(Buffer.alloc(16 << 20)), watch);
    const client = await server.client();
    client.socket.pause();
    client.get();
    await until(() => server.seen.length === 1);
    expect(isDone(server.seen[0])).toBe(false);
    client.socket.resume();
    await until(() => isDone(server.seen[0]));
    expect(cause(server.seen[0]!)).toBeInstanceOf(RequestFinished);
  });

  test("of a request with Expect: 100-continue ends as that of any other request", async () => {
    await using server = await serveContexts((req, res) => {
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

describe("`requestContext`, called late", () => {
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

  test("returns a canceled context if the client disconnected before", async () => {
    await using server = await request();
    const client = await server.client();
    client.get();
    client.get(); // this one waits behind the first
    await until(() => server.seen.length === 2);
    client.leave("RST");
    await until(() => server.seen.every(({ closed }) => closed));
    for (const { req } of server.seen) {
      expect(cause(requestContext(req))).toBeInstanceOf(ClientDisconnected);
    }
  });

  test("returns a finished context if the response was finished before", async () => {
    await using server = await request((_, res) => res.end("ok"));
    const client = await server.client();
    client.get();
    await client.answer();
    await until(() => server.seen[0]!.res.destroyed);
    expect(cause(requestContext(server.seen[0]!.req))).toBeInstanceOf(RequestFinished);
  });

  test("returns a finished context if the response was finished before its connection closed", async () => {
    await using server = await request((_, res) => res.end("ok"));
    const client = await server.client();
    client.get();
    await client.answer();
    client.leave("FIN");
    await until(() => server.seen[0]!.closed);
    expect(cause(requestContext(server.seen[0]!.req))).toBeInstanceOf(RequestFinished);
  });

  test("returns a canceled context if a large response was reset on its way", async () => {
    await using server = await request((_, res) => res.end(Buffer.alloc(64 << 20)));
    const client = await server.client();
    client.socket.pause();
    client.get();
    await until(() => server.seen.length === 1);
    client.leave("RST");
    await until(() => server.seen[0]!.closed);
    expect(cause(requestContext(server.seen[0]!.req))).toBeInstanceOf(ClientDisconnected);
  });

  test("returns a live context while a large response is not handed over", async () => {
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

  test("returns a live context while the response is being sent", async () => {
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

test("`requestContext` returns the same context for each call with the same request", async () => {
  const seen: Context[] = [];
  await using server = await serve((req, res) => {
    seen.push(
      requestContext(req, responseInBun(res)),
      requestContext(req, { response: res, timeout: 1 }),
    );
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

test("`timeout` ends the context with the cause LocalTimeout", async () => {
  let ctx: Context | undefined;
  await using server = await serve((req, res) => {
    ctx = requestContext(req, { timeout: 20, ...responseInBun(res) });
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

test("`parent` ends the context, and its values are visible there", async () => {
  const Name = key<string>("name");
  const parent = withCancel(withValue(background(), Name, "reports"));
  let ctx: Context | undefined;
  await using server = await serve((req, res) => {
    ctx = requestContext(req, { parent, ...responseInBun(res) });
  });
  const client = await server.client();
  client.get();
  await until(() => ctx !== undefined);
  expect(ctx?.value(Name)).toBe("reports");
  parent.cancel(new Shutdown());
  expect(cause(ctx!)).toBeInstanceOf(Shutdown);
});

test("work that runs when the client disconnects leaves a receipt in the request's ledger", async () => {
  await using server = await serveContexts();
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

test("the receipt of work that outlives its response says finished, not canceled", async () => {
  await using server = await serveContexts((_, res) => res.end("ok"));
  const client = await server.client();
  client.get();
  await until(() => server.seen.length === 1);
  const [ctx] = server.seen as [Context];
  const work = startWork(ctx, "test.work");
  await until(() => isDone(ctx));
  work.end();
  expect(await stopped(ctx)).toMatchObject([{ reason: "finished" }]);
});

test("`requestContext` takes the response from its options or from `req.res` if Node has not announced it", async () => {
  const seen: Context[] = [];
  await using server = await serve((req, res) => {
    const { socket } = req; // like a request that started before this module was loaded
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

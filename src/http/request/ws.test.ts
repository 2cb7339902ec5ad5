/** WebSockets of the package `ws`, with real servers and clients, in clear text and over TLS. */
import type { IncomingMessage } from "node:http";
import type { Duplex } from "node:stream";
import type { Socket } from "node:net";
import { describe, expect, test, vi } from "vitest";
import { WebSocket, WebSocketServer } from "ws";
import { until } from "../../../test/raw-http.ts";
import { http1, https1 } from "../../../test/support/transports/http1.ts";
import { portOf } from "../../../test/support/transports/server.ts";
import {
  afterFunc,
  cause,
  sleep,
  startWork,
  withTimeout,
  working,
  type Context,
} from "../../index.ts";
import {
  ClientDisconnected,
  requestContext,
  RequestFinished,
  serve,
  Shutdown,
  type ServeOptions,
  type Serving,
} from "../index.ts";

vi.setConfig({ testTimeout: 30_000 });

type Connected = (ws: WebSocket, ctx: Context, serving: Serving) => unknown;

/** The event in which the context is created: before `ws` listens to the connection, or after. */
const places = ["upgrade", "connection"] as const;

describe.each([http1, https1])("a WebSocket over $name", (transport) => {
  const it = test.skipIf(transport.missing !== undefined);

  async function start(
    connected: Connected = () => undefined,
    { place = "connection", ...shutdown }: ServeOptions & { place?: (typeof places)[number] } = {},
  ) {
    const home = transport.server();
    const serving = serve(home.server, { signals: [], ...shutdown });
    const sockets = new WebSocketServer({ noServer: true });
    const seen: { ws: WebSocket; ctx: Context }[] = [];
    home.server.on("upgrade", (req: IncomingMessage, socket: Duplex, head: Buffer) => {
      const early = place === "upgrade" ? requestContext(req) : undefined;
      sockets.handleUpgrade(req, socket, head, (ws) => {
        const ctx = early ?? requestContext(req);
        seen.push({ ws, ctx });
        ws.on("error", () => undefined);
        connected(ws, ctx, serving);
      });
    });
    await home.listen((_req, res) => res.end());
    const scheme = transport === https1 ? "wss" : "ws";
    const url = `${scheme}://127.0.0.1:${portOf(home.server)}`;
    const client = new WebSocket(url, { rejectUnauthorized: false, autoPong: false });
    const heard: string[] = [];
    let closed: number | undefined;
    client.on("message", (data: Buffer) => heard.push(data.toString()));
    client.on("close", (code) => (closed = code)).on("error", () => undefined);
    await until(() => seen.length === 1 && client.readyState === WebSocket.OPEN);
    const [{ ws, ctx }] = seen as [(typeof seen)[0]];
    return {
      ...{ client, heard, ws, ctx, serving },
      /** The close code that the client received. */
      closed: () => closed,
      /** The client's socket. */
      socket: (client as unknown as { _socket: Socket })._socket,
      async [Symbol.asyncDispose]() {
        await until(() => seen.every((one) => one.ctx.err() !== undefined), "no context lives");
        expect(seen.flatMap((one) => working(one.ctx))).toEqual([]);
        client.terminate();
        await home[Symbol.asyncDispose]();
        await until(() => home.connections.size === 0, "no connection is left");
      },
    };
  }
  type Server = Awaited<ReturnType<typeof start>>;

  const leave: Record<string, (server: Server) => unknown> = {
    "terminate()": ({ client }) => client.terminate(),
    FIN: ({ socket }) => socket.end(),
    // Only a plain socket can be reset: TLS has no access to the socket beneath it.
    ...(transport === http1 && { RST: ({ socket }) => socket.resetAndDestroy() }),
  };
  for (const place of places) {
    for (const [how, go] of Object.entries(leave)) {
      it(`has a canceled context after its client leaves by ${how} (created at "${place}")`, async () => {
        await using server = await start(undefined, { place });
        server.client.send("hello");
        await new Promise((resolve) => server.ws.once("message", resolve));
        expect(server.ctx.err()).toBeUndefined();
        go(server);
        await until(() => server.ctx.err() !== undefined);
        expect(cause(server.ctx)).toBeInstanceOf(ClientDisconnected);
      });
    }

    it(`has a finished context after both sides have closed it, whichever closed first (created at "${place}")`, async () => {
      for (const begins of ["client", "ws"] as const) {
        await using server = await start(undefined, { place });
        server[begins].close(4_000);
        await until(() => server.ctx.err() !== undefined);
        expect(cause(server.ctx)).toBeInstanceOf(RequestFinished);
        await until(() => server.closed() === 4_000);
      }
    });
  }

  it("can give each message a child context, which ends with the connection too", async () => {
    const ends: unknown[] = [];
    const work: Connected = (ws, ctx) => {
      ws.on("message", (data: Buffer) => {
        void (async () => {
          using inner = withTimeout(ctx, Number(data.toString()));
          const job = startWork(inner, "test.message");
          await sleep(inner, Infinity).catch((error: unknown) => ends.push(error));
          job.end();
          if (ctx.err() === undefined) ws.send("too late");
        })();
      });
    };
    await using server = await start(work);
    server.client.send("20");
    await until(() => server.heard.length === 1);
    expect([server.heard, server.ctx.err()]).toEqual([["too late"], undefined]);
    server.client.send("60000");
    server.client.send("60000");
    await until(() => working(server.ctx).length === 2);
    server.client.terminate();
    await until(() => ends.length === 3);
    expect(ends.slice(1)).toEqual([server.ctx.err(), server.ctx.err()]);
  });

  it("whose client does not answer pings is terminated, and its context is canceled", async () => {
    const beat: Connected = (ws, ctx) => {
      let answered = true;
      ws.on("pong", () => (answered = true));
      const id = setInterval(() => {
        if (!answered) ws.terminate();
        answered = false;
        ws.ping();
      }, 20);
      afterFunc(ctx, () => clearInterval(id));
    };
    await using server = await start(beat);
    await until(() => server.ctx.err() !== undefined);
    expect(cause(server.ctx)).toBeInstanceOf(ClientDisconnected);
  });

  it("is canceled at the end of the grace period, and can still send a close code", async () => {
    const polite: Connected = (ws, ctx) => afterFunc(ctx, () => ws.close(1001));
    await using server = await start(polite, { gracePeriod: 50, forceAfter: 60_000 });
    const report = await server.serving.close();
    expect(report).toMatchObject({ drained: 0, canceled: 1, destroyed: 0 });
    expect(cause(server.ctx)).toBeInstanceOf(Shutdown);
    await until(() => server.closed() === 1001);
  });

  it("does not use up the grace period if it closes when `serving.context` ends", async () => {
    const prompt: Connected = (ws, _, serving) => afterFunc(serving.context, () => ws.close(1001));
    await using server = await start(prompt, { gracePeriod: 60_000 });
    const report = await server.serving.close();
    expect(report).toMatchObject({ drained: 1, canceled: 0, destroyed: 0 });
    expect(cause(server.ctx)).toBeInstanceOf(RequestFinished);
    await until(() => server.closed() === 1001);
  });

  it("that watches no context is destroyed after `forceAfter`", async () => {
    await using server = await start(undefined, { gracePeriod: 20, forceAfter: 20 });
    const report = await server.serving.close();
    expect(report).toMatchObject({ drained: 0, canceled: 1, destroyed: 1 });
    expect(cause(server.ctx)).toBeInstanceOf(Shutdown);
    await until(() => server.closed() === 1006);
  });
});

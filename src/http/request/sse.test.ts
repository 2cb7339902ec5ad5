/** Event streams, without a framework and with two of them. */
import { once } from "node:events";
import type { IncomingMessage, ServerResponse } from "node:http";
import { getRequestListener } from "@hono/node-server";
import express from "express";
import { Hono } from "hono";
import { streamSSE } from "hono/streaming";
import { describe, expect, test, vi } from "vitest";
import { until } from "../../../test/raw-http.ts";
import { transports, type Listener } from "../../../test/support/transports/index.ts";
import { contextErrors, contexts } from "../../express/index.ts";
import { contexts as honoContexts } from "../../hono/index.ts";
import { cause, merge, sleep, type Context } from "../../index.ts";
import { ClientDisconnected, handler, serve, Shutdown } from "../index.ts";

vi.setConfig({ testTimeout: 30_000 });

type Send = (id: number) => unknown;
/** Sends an event every few milliseconds until the client disconnects or the server drains. */
type Events = (ctx: Context, from: number, send: Send) => Promise<void>;

const head = { "content-type": "text/event-stream", "cache-control": "no-store" };

async function byNode(
  events: Events,
  ctx: Context,
  req: IncomingMessage,
  res: ServerResponse,
): Promise<void> {
  res.writeHead(200, head);
  await events(ctx, Number(req.headers["last-event-id"] ?? 0), async (id) => {
    if (!res.write(`id: ${id}\ndata: ${"x".repeat(1_000)}\n\n`)) {
      await once(res, "drain", { signal: ctx.signal });
    }
  });
  res.end();
}

const servers: Record<string, (events: Events) => Listener> = {
  handler: (events) => handler((ctx, req, res) => byNode(events, ctx, req, res)),
  Express: (events) => {
    const app = express();
    app.use(contexts());
    app.get("/", (req, res) => byNode(events, req.ctx, req, res));
    app.use(contextErrors());
    return app;
  },
  "Hono's streamSSE": (events) => {
    const app = new Hono();
    app.use(honoContexts());
    app.get("/", (c) => {
      const response = streamSSE(c, async (out) => {
        const from = Number(c.req.header("last-event-id") ?? 0);
        await events(c.var.ctx, from, (id) => out.writeSSE({ id: String(id), data: "x" }));
      });
      response.headers.delete("transfer-encoding"); // Node rejects that header over HTTP/2
      return response;
    });
    return getRequestListener(app.fetch);
  },
};

describe.each(transports)("an event stream over $name", (transport) => {
  for (const [name, listener] of Object.entries(servers)) {
    const isUnsupported = name === "Express" && transport.http2;
    const it = test.skipIf(transport.missing !== undefined);
    if (isUnsupported) continue;

    async function start() {
      const home = transport.server();
      const serving = serve(home.server, { signals: [], gracePeriod: 60_000 });
      const causes: unknown[] = [];
      const events: Events = async (ctx, from, send) => {
        using either = merge(ctx, serving.context);
        for (let id = from + 1; either.err() === undefined; id++) {
          try {
            await send(id);
            await sleep(either, 2);
          } catch (error) {
            if (either.err() === undefined) throw error;
          }
        }
        causes.push(cause(either));
      };
      await home.listen(listener(events));
      const visitor = await home.visitor();
      return Object.assign(home, { serving, causes, asking: visitor });
    }
    const has = (server: Awaited<ReturnType<typeof start>>, id: number) =>
      until(() => server.asking.replies[0]?.body.includes(`id: ${id}\n`) === true, `event ${id}`);

    for (const leave of transport.leaves) {
      it(`from ${name} stops its source when the client leaves by ${leave}`, async () => {
        await using server = await start();
        server.asking.get();
        await has(server, 3);
        server.asking.leave(leave);
        await until(() => server.causes.length === 1);
        expect(server.causes).toEqual([expect.any(ClientDisconnected)]);
      });
    }

    it(`from ${name} resumes after the Last-Event-ID, and ends when the server drains`, async () => {
      await using server = await start();
      server.asking.get({ "last-event-id": "41" });
      await has(server, 44);
      const reply = await server.asking.head();
      expect(reply.headers["content-type"]).toBe("text/event-stream");
      expect(reply.body).not.toContain("id: 41\n");
      const report = await server.serving.close();
      expect(report).toMatchObject({ drained: 1, canceled: 0, destroyed: 0 });
      expect(server.causes).toEqual([expect.any(Shutdown)]);
      await server.asking.whole();
    });
  }
});

/**
 * A server in a process of its own, for src/http/server/serve.test.ts. Prints one line of JSON for
 * each event: `{ port }`, `{ asked }` for a request, `{ report }` at the end. After that, nothing
 * keeps the process running.
 */
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { createSecureServer, createServer as createH2cServer } from "node:http2";
import { createServer as createHttpsServer } from "node:https";
import type { AddressInfo, Socket } from "node:net";
import { afterFunc, merge, sleep, type Context } from "eightysix";
import { handler, notifyContext, requestContext, serve, type ServeOptions } from "eightysix/http";

interface Setting extends ServeOptions {
  kind?: "http" | "https" | "h2" | "h2c";
  tls?: { key: string; cert: string };
  /** Whether a context of `notifyContext` starts the shutdown, and not the signals of `serve`. */
  notified?: boolean;
  /** Milliseconds after which the program calls `serving.close()`. */
  closes?: number;
  /** Milliseconds that the program takes to close its pools. */
  cleanup?: number;
}

const {
  kind = "http",
  tls,
  notified,
  closes,
  cleanup,
  ...options
} = JSON.parse(process.argv[2] ?? "{}") as Setting;
const print = (line: object): void => console.log(JSON.stringify(line));

async function work(ctx: Context, req: IncomingMessage, res: ServerResponse): Promise<unknown> {
  print({ asked: req.url });
  switch (req.url) {
    case "/ready":
      res.statusCode = serving.draining ? 503 : 200;
      return res.end();
    case "/short":
      await sleep(ctx, 300);
      return res.end("done");
    case "/begun":
      res.write("begun ");
      await sleep(ctx, 300);
      return res.end("done");
    case "/events":
      res.writeHead(200, { "content-type": "text/event-stream" }).write("data: 1\n\n");
      return sleep(ctx, Infinity);
    case "/polite-events": {
      res.writeHead(200, { "content-type": "text/event-stream" }).write("data: 1\n\n");
      using either = merge(ctx, serving.context);
      await sleep(either, Infinity).catch(() => undefined);
      return res.end("data: bye\n\n");
    }
    case "/ignoring":
      return new Promise(() => undefined); // never responds
    case "/ignoring-stream":
      res.write("begun");
      return new Promise(() => undefined);
    case undefined:
    default:
      return sleep(ctx, 60_000);
  }
}

const listener = handler(work, { onError: () => undefined });
const server = {
  http: () => createServer(listener),
  https: () => createHttpsServer(tls ?? {}, listener),
  h2: () => createSecureServer({ ...tls, allowHTTP1: true }, listener as never),
  h2c: () => createH2cServer(listener as never),
}[kind]();
const until = notified ? notifyContext("SIGTERM", "SIGINT") : undefined;
const serving = serve(server, {
  ...options,
  ...(until && { until, signals: [] }),
});

if (kind !== "h2c") {
  server.on("upgrade", (req: IncomingMessage, socket: Socket) => {
    print({ asked: req.url });
    socket.on("error", () => undefined).resume();
    socket.write("HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: Upgrade\r\n\r\n");
    if (req.url === "/watched") afterFunc(requestContext(req), () => socket.end("bye"));
  });
}

server.listen(0, "127.0.0.1", () => {
  print({ port: (server.address() as AddressInfo).port });
});
if (closes !== undefined) setTimeout(() => void serving.close(), closes);
print({ report: await serving.done });
if (cleanup !== undefined) await new Promise((resolve) => setTimeout(resolve, cleanup));

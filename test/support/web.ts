/** HTTP servers for tests of what goes out. */
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

/** One request, as its server saw it. */
export interface Seen {
  readonly req: IncomingMessage;
  readonly res: ServerResponse;
  /** The client went before it had all of the response. */
  gone: boolean;
  /** What has come of the request's body. */
  body: string;
}

export interface Web extends AsyncDisposable {
  /** Without a slash at the end. */
  readonly url: string;
  /** As a trusted host. */
  readonly host: string;
  connections: number;
  readonly seen: Seen[];
}

/** A server on a port of its own. */
export async function serve(
  answer: (res: ServerResponse, req: IncomingMessage) => unknown,
): Promise<Web> {
  const server = createServer((req, res) => {
    const seen: Seen = { req, res, gone: false, body: "" };
    web.seen.push(seen);
    res.on("close", () => (seen.gone = !res.writableFinished));
    req.on("error", () => undefined);
    req.setEncoding("utf8").on("data", (chunk: string) => (seen.body += chunk));
    answer(res, req);
  });
  server.on("connection", () => web.connections++);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const host = `127.0.0.1:${(server.address() as AddressInfo).port}`;
  const web: Web = {
    url: `http://${host}`,
    host,
    connections: 0,
    seen: [],
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
  return web;
}

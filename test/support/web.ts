/** HTTP servers for tests of outgoing requests. */
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

/** One request as the server sees it. */
export interface Seen {
  readonly req: IncomingMessage;
  readonly res: ServerResponse;
  /** Whether the client has disconnected. */
  gone: boolean;
  /** The part of the request's body that has arrived. */
  body: string;
}

export interface Web extends AsyncDisposable {
  /** The URL, without a slash at its end. */
  readonly url: string;
  /** The host for the option `trusted`. */
  readonly host: string;
  /** How many connections were opened. */
  connections: number;
  readonly seen: Seen[];
}

/** Starts a server on a free port. `respond` handles each request. */
export async function serve(
  respond: (res: ServerResponse, req: IncomingMessage) => unknown,
): Promise<Web> {
  const server = createServer((req, res) => {
    const seen: Seen = { req, res, gone: false, body: "" };
    web.seen.push(seen);
    res.on("close", () => (seen.gone = !res.writableFinished));
    req.on("error", () => undefined);
    req.setEncoding("utf8").on("data", (chunk: string) => (seen.body += chunk));
    respond(res, req);
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

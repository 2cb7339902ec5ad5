/** HTTP/1.1 over plain sockets and over TLS. */
import { once } from "node:events";
import { createServer, type Server } from "node:http";
import { createServer as createSecureServer } from "node:https";
import { connect, type Socket } from "node:net";
import { connect as connectTls } from "node:tls";
import { Client } from "../../raw-http.ts";
import type { Reply, Transport, Visitor } from "./index.ts";
import { portOf, ServerOfSockets, tls, unlessTls, VisitorOfReplies } from "./server.ts";

const leaves = ["FIN", "RST", "half-close"] as const;

export const http1: Transport = {
  name: "HTTP/1.1",
  http2: false,
  leaves,
  server: () => new Http1Server(createServer(), "connection"),
};

export const https1: Transport = {
  name: "HTTP/1.1 in TLS",
  http2: false,
  ...unlessTls,
  leaves,
  server: () => new Http1Server(createSecureServer({ ...tls }), "secureConnection"),
};

class Http1Server extends ServerOfSockets {
  readonly #secure: boolean;

  constructor(server: Server, event: "connection" | "secureConnection") {
    super(server, event);
    this.#secure = event === "secureConnection";
    server.keepAliveTimeout = 60_000; // longer than a slow machine takes for a test
  }

  get occupied() {
    return this.connections;
  }

  visitor(): Promise<Visitor> {
    return visit(this.server, this.#secure);
  }
}

export async function visit(server: Server, secure = false): Promise<Visitor> {
  const raw = connect({ port: portOf(server), host: "127.0.0.1", allowHalfOpen: true });
  await once(raw, "connect");
  if (!secure) return new Http1Visitor(raw, raw);
  const socket = connectTls({ socket: raw, rejectUnauthorized: false });
  await once(socket, "secureConnect");
  return new Http1Visitor(socket, raw);
}

class Http1Visitor extends VisitorOfReplies {
  readonly #client: Client;
  readonly #raw: Socket;

  constructor(socket: Socket, raw: Socket) {
    super();
    this.#client = new Client(socket);
    this.#raw = raw.on("error", () => undefined);
  }

  get(headers: Record<string, string> = {}): void {
    const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
    this.#client.socket.write(`GET / HTTP/1.1\r\nHost: x\r\n${lines.join("")}\r\n`);
  }

  post(body: string, missing = 0): void {
    this.#client.post(body, missing);
  }

  send(text: string): void {
    this.#client.socket.write(text);
  }

  get replies(): Reply[] {
    const { received, ended } = this.#client;
    return [...repliesIn(received)].map((reply) => ({ ...reply, cut: ended && !reply.whole }));
  }

  get ended(): boolean {
    return this.#client.ended;
  }

  leave(how: (typeof leaves)[number]): void {
    // A TLS socket cannot reset the socket beneath it.
    if (how === "RST") this.#raw.resetAndDestroy();
    else this.#client.leave(how);
  }
}

function* repliesIn(text: string): Generator<Omit<Reply, "cut">> {
  for (let rest = text; ;) {
    const end = rest.indexOf("\r\n\r\n");
    if (end < 0) return;
    const [line = "", ...fields] = rest.slice(0, end).split("\r\n");
    const headers = Object.fromEntries(
      fields.map((field) => {
        const colon = field.indexOf(":");
        return [field.slice(0, colon).toLowerCase(), field.slice(colon + 1).trim()];
      }),
    );
    rest = rest.slice(end + 4);
    const { body, after } = bodyIn(rest, headers);
    yield { status: Number(line.split(" ")[1]), headers, body, whole: after !== undefined };
    if (after === undefined) return;
    rest = after;
  }
}

/** Returns the body, and the text after it if the body is complete. */
function bodyIn(
  text: string,
  headers: Readonly<Record<string, string>>,
): { body: string; after?: string } {
  if (headers["transfer-encoding"] !== "chunked") {
    const length = Number(headers["content-length"]);
    const body = text.slice(0, length);
    return body.length < length ? { body } : { body, after: text.slice(length) };
  }
  let body = "";
  for (let rest = text; ;) {
    const [, size = ""] = /^([\da-f]+)\r\n/i.exec(rest) ?? [];
    if (size === "") return { body };
    const start = size.length + 2;
    const length = parseInt(size, 16);
    body += rest.slice(start, start + length);
    rest = rest.slice(start + length);
    if (!rest.startsWith("\r\n")) return { body };
    rest = rest.slice(2);
    if (length === 0) return { body, after: rest };
  }
}

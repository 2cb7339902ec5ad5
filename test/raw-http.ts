/** A real server, and clients that can leave in every way: HTTP/1.1 over plain sockets. */
import { once } from "node:events";
import { createServer, type RequestListener } from "node:http";
import { connect, type AddressInfo, type Socket } from "node:net";
import { setTimeout as delay } from "node:timers/promises";

/** Waits for a condition. Fails after ten seconds with `what` in the message. */
export async function until(condition: () => boolean, what = String(condition)): Promise<void> {
  const limit = performance.now() + 10_000;
  while (!condition()) {
    if (performance.now() > limit) throw new Error(`after 10 s, still waiting until ${what}`);
    await delay(2);
  }
}

export interface Served extends AsyncDisposable {
  /** Open connections, as the server sees them. */
  readonly sockets: Set<Socket>;
  readonly port: number;
  client(): Promise<Client>;
}

export async function serve(listener: RequestListener): Promise<Served> {
  const server = createServer(listener).listen(0, "127.0.0.1");
  server.keepAliveTimeout = 60_000; // longer than a slow machine takes for a test
  const sockets = new Set<Socket>();
  server.on("connection", (socket) => {
    sockets.add(socket);
    socket.on("close", () => sockets.delete(socket));
  });
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  return {
    ...{ sockets, port },
    async client() {
      const socket = connect({ port, host: "127.0.0.1", allowHalfOpen: true });
      await once(socket, "connect");
      return new Client(socket);
    },
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      server.close();
      await once(server, "close");
    },
  };
}

export class Client {
  readonly socket: Socket;
  received = "";
  ended = false;

  constructor(socket: Socket) {
    this.socket = socket;
    socket.on("data", (chunk) => (this.received += chunk.toString("latin1")));
    socket.on("error", () => undefined);
    socket.on("end", () => (this.ended = true));
    socket.on("close", () => (this.ended = true));
  }

  get(path = "/"): void {
    this.socket.write(`GET ${path} HTTP/1.1\r\nHost: x\r\n\r\n`);
  }

  /** Sends `body`, and announces a length that is greater by `missing`. */
  post(body: string, missing = 0): void {
    const length = body.length + missing;
    this.socket.write(`POST / HTTP/1.1\r\nHost: x\r\nContent-Length: ${length}\r\n\r\n${body}`);
  }

  /** The status codes of the responses so far. */
  get statuses(): number[] {
    return [...this.received.matchAll(/HTTP\/1\.1 (\d+) /g)].map(([, code]) => Number(code));
  }

  /** Waits for this many responses, and returns everything received so far. */
  async answer(count = 1): Promise<string> {
    await until(
      () => this.statuses.length >= count,
      `response ${count} arrives, after ${this.received}`,
    );
    return this.received;
  }

  leave(how: "FIN" | "RST" | "half-close"): void {
    if (how === "FIN") this.socket.destroy();
    else if (how === "RST") this.socket.resetAndDestroy();
    else this.socket.end();
  }
}

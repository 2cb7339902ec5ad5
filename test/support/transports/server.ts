/** The base classes of the servers and visitors of all transports. */
import { once, type EventEmitter } from "node:events";
import type { Server } from "node:http";
import type { AddressInfo, Socket } from "node:net";
import { certificate } from "../certificate.ts";
import { until } from "../../raw-http.ts";
import type { Listener, Reply, TransportServer, Visitor } from "./index.ts";

export const tls = certificate();
export const unlessTls = tls === undefined && {
  missing: "there is no openssl to create a certificate with",
};

export function portOf(server: Server): number {
  return (server.address() as AddressInfo).port;
}

/** Returns the set of open connections, sessions or streams that `server` emits as `event`. */
export function track<T extends EventEmitter>(server: EventEmitter, event: string): Set<T> {
  const open = new Set<T>();
  server.on(event, (one: T) => {
    open.add(one);
    one.on("close", () => open.delete(one));
  });
  return open;
}

export abstract class ServerOfSockets implements TransportServer {
  readonly server: Server;
  readonly connections: ReadonlySet<EventEmitter>;
  abstract readonly occupied: ReadonlySet<object>;
  readonly #sockets: Set<Socket>;

  constructor(server: Server, event: string) {
    this.server = server;
    this.#sockets = track<Socket>(server, "connection");
    this.connections = event === "connection" ? this.#sockets : track(server, event);
  }

  abstract visitor(): Promise<Visitor>;

  async listen(listener: Listener): Promise<void> {
    this.server.on("request", listener).listen(0, "127.0.0.1");
    await once(this.server, "listening");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    if (!this.server.listening) return;
    this.server.close();
    await once(this.server, "close");
  }
}

export abstract class VisitorOfReplies implements Visitor {
  abstract readonly replies: readonly Reply[];
  abstract readonly ended: boolean;
  abstract get(headers?: Record<string, string>): void;
  abstract post(body: string, missing?: number): void;
  abstract send(text: string): void;
  abstract leave(how: string): void;

  head(nth = 1): Promise<Reply> {
    return this.#once(nth, ({ status }) => status > 0);
  }

  whole(nth = 1): Promise<Reply> {
    return this.#once(nth, ({ whole }) => whole);
  }

  async #once(nth: number, ready: (reply: Reply) => boolean): Promise<Reply> {
    const found = () => this.replies.slice(nth - 1, nth).find(ready);
    await until(() => found() !== undefined, `reply ${nth} of ${JSON.stringify(this.replies)}`);
    return found() as Reply;
  }
}

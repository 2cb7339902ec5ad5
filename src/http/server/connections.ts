/**
 * The connections of a server of any kind: which of them are open, which were never used, and how
 * each of them ends. Node's own lists leave out connections that have sent nothing yet (Node 20 to
 * 24), upgraded connections, and everything of HTTP/2.
 */
import { attach } from "../request/request-tracker.ts";
import type { SocketLike } from "../types.ts";
import type { OpenRequests, Stream } from "./open-requests.ts";
import type { Listener, ServerLike } from "./types.ts";

interface Connection extends SocketLike {
  readonly bytesRead: number;
  readonly bytesWritten: number;
  readonly alpnProtocol?: string | false | null;
  readonly remoteAddress?: string | undefined;
  readonly remotePort?: number | undefined;
  destroy(): unknown;
  end(): unknown;
}

interface Session {
  readonly encrypted?: boolean | undefined;
  on(event: "close" | "stream", listener: (stream: Stream) => void): unknown;
  close(): void;
}

export class Connections {
  readonly #server: ServerLike;
  readonly #openRequests: OpenRequests;
  /** All TCP connections. Destroying one of them ends everything on it, whatever its protocol. */
  readonly #open = new Set<Connection>();
  /** The connections that can carry requests, with the bytes that were read before the first one. */
  readonly #ready = new Map<Connection, number>();
  /**
   * The connections whose TLS handshake is under way, by their remote address and port. Node emits
   * another socket for the encrypted connection, and does not say which one it belongs to.
   */
  readonly #handshaking = new Map<string, Connection>();
  readonly #sessions = new Set<Session>();
  /** Whether this is an HTTP/2 server without TLS. Such a server does not speak HTTP/1. */
  #isPlainHttp2 = false;
  readonly #listeners: [event: string, listener: Listener][];

  constructor(server: ServerLike, openRequests: OpenRequests) {
    this.#server = server;
    this.#openRequests = openRequests;
    const isTls = "setSecureContext" in server;
    // No listener for `upgrade`, `checkContinue` or `request`: Node behaves differently if one exists.
    this.#listeners = [
      ["connection", isTls ? this.#onTlsConnection : this.#onPlainConnection],
      ["secureConnection", this.#onSecureConnection],
      ["session", this.#onSession],
    ];
    // Called before the server's own listeners. Otherwise a request could come first.
    for (const [event, listener] of this.#listeners) server.prependListener(event, listener);
  }

  /** The connections that are open. One that was destroyed reports its end a little later. */
  get size(): number {
    return [...this.#open].filter((socket) => !socket.destroyed).length;
  }

  /** Stops listening. Closes what Node takes for idle, but none of the `busy` connections. */
  closeServer(busy: ReadonlySet<object>): void {
    sparing(busy, () => this.#server.close());
  }

  /**
   * Closes the connections without a request: idle ones, and ones that were never used. Sessions send
   * GOAWAY and finish their streams. Call this repeatedly, because busy connections become idle later.
   */
  closeIdle(busy: ReadonlySet<object>): void {
    sparing(busy, () => this.#server.closeIdleConnections?.());
    for (const [socket, bytesReadBefore] of this.#ready) {
      if (this.#isHttp2(socket) || busy.has(socket)) continue;
      // One read can hold the end of a handshake and a request, so check both directions.
      if (socket.bytesRead === bytesReadBefore && socket.bytesWritten === 0) socket.destroy();
    }
    for (const socket of this.#handshaking.values()) socket.destroy();
    for (const session of this.#sessions) {
      this.#sessions.delete(session);
      session.close();
    }
  }

  /**
   * Returns the HTTP/1 connections that are open and not in `busy`: upgraded ones, and ones whose
   * request has not been received completely.
   */
  others(busy: ReadonlySet<object>): Connection[] {
    return [...this.#ready.keys()].filter(
      (socket) => !socket.destroyed && !busy.has(socket) && !this.#isHttp2(socket),
    );
  }

  destroy(): void {
    for (const socket of this.#open) socket.destroy();
  }

  stopListening(): void {
    for (const [event, listener] of this.#listeners) this.#server.off(event, listener);
  }

  #isHttp2(socket: Connection): boolean {
    return this.#isPlainHttp2 || socket.alpnProtocol === "h2";
  }

  readonly #onPlainConnection = (socket: Connection): void => {
    this.#addOpen(socket);
    this.#addReady(socket);
  };

  readonly #onTlsConnection = (socket: Connection): void => {
    this.#addOpen(socket);
    const remote = remoteOf(socket);
    if (remote === undefined) return;
    this.#handshaking.set(remote, socket);
    socket.on("close", () => this.#handshaking.delete(remote));
  };

  readonly #onSecureConnection = (socket: Connection): void => {
    const remote = remoteOf(socket);
    if (remote !== undefined) this.#handshaking.delete(remote);
    this.#addReady(socket);
  };

  readonly #onSession = (session: Session): void => {
    if (session.encrypted === false) this.#isPlainHttp2 = true;
    attach(session, this.#openRequests);
    this.#sessions.add(session);
    session.on("close", () => this.#sessions.delete(session));
    session.on("stream", (stream) => this.#openRequests.onStream(stream));
  };

  #addOpen(socket: Connection): void {
    this.#open.add(socket);
    socket.on("close", () => this.#open.delete(socket));
  }

  #addReady(socket: Connection): void {
    attach(socket, this.#openRequests);
    this.#ready.set(socket, socket.bytesRead);
    socket.on("close", () => this.#ready.delete(socket));
  }
}

/**
 * Calls `close`, during which nothing destroys a connection in `busy`. Node counts a connection as
 * idle when its handler has ended the response, although most of the response may not have been sent.
 */
function sparing(busy: ReadonlySet<object>, close: () => void): void {
  const own = [...busy].map((socket) => Object.getOwnPropertyDescriptor(socket, "destroy"));
  for (const socket of busy)
    Object.defineProperty(socket, "destroy", { configurable: true, value: () => socket });
  try {
    close();
  } finally {
    for (const [i, socket] of [...busy].entries()) {
      const before = own[i];
      if (before === undefined) delete (socket as { destroy?: unknown }).destroy;
      else Object.defineProperty(socket, "destroy", before);
    }
  }
}

/** `undefined` for a connection that has closed already, or that came through a file. */
function remoteOf({ remoteAddress, remotePort }: Connection): string | undefined {
  return remotePort === undefined ? undefined : `${remoteAddress ?? ""}|${remotePort}`;
}

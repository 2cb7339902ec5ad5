/**
 * The connections of a server, of whatever kind: which are open, which were never used, and how each
 * is brought to its end. Node's own lists leave out those that have not spoken yet (Node 20 to 24),
 * those that were upgraded, and all of HTTP/2.
 */
import { attach, type RequestTracker } from "../request/request-tracker.ts";
import type { SocketLike } from "../request/request-end.ts";

// eslint-disable-next-line @typescript-eslint/no-explicit-any -- each event has its own parameters
type Listener = (...args: any[]) => void;

/** The parts of an `http.Server`, `https.Server` or `http2` server that `serve` uses. */
export interface ServerLike {
  prependListener(event: string, listener: Listener): unknown;
  off(event: string, listener: Listener): unknown;
  close(): unknown;
  closeIdleConnections?(): void;
}

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

interface Stream {
  on(event: "close", listener: () => void): unknown;
}

/** Told of the streams of HTTP/2, which no channel announces. */
type Arrived = (stream: Stream) => void;

export class Connections {
  readonly #server: ServerLike;
  readonly #home: RequestTracker;
  readonly #arrived: Arrived;
  /** All of them, as TCP has them: what is destroyed here is gone, whatever is spoken on it. */
  readonly #open = new Set<Connection>();
  /** Those on which requests may come, with the bytes that had been read before the first. */
  readonly #ready = new Map<Connection, number>();
  /** Those whose TLS handshake is under way, by their other end. Node does not tell what becomes of them. */
  readonly #greeting = new Map<string, Connection>();
  readonly #sessions = new Set<Session>();
  /** In clear text, a server speaks either HTTP/1 or HTTP/2. */
  #h2c = false;
  readonly #listeners: [event: string, listener: Listener][];

  constructor(server: ServerLike, home: RequestTracker, arrived: Arrived) {
    this.#server = server;
    this.#home = home;
    this.#arrived = arrived;
    // No listener for `upgrade`, `checkContinue` or `request`: having one changes what Node does.
    this.#listeners = [
      ["connection", "setSecureContext" in server ? this.#greet : this.#connect],
      ["secureConnection", this.#secure],
      ["session", this.#begin],
    ];
    // Before the server's own, or a request could come first.
    for (const [event, listener] of this.#listeners) server.prependListener(event, listener);
  }

  get size(): number {
    return this.#open.size;
  }

  /**
   * Closes what has nothing to do: idle and never-used connections. Sessions say GOAWAY and finish
   * their streams. To be called again and again: what is busy now is idle later.
   */
  closeIdle(busy: ReadonlySet<object>): void {
    this.#server.closeIdleConnections?.();
    for (const [socket, before] of this.#ready) {
      if (this.#isHttp2(socket) || busy.has(socket)) continue;
      // The end of a handshake and a request can be read in one, so look at both directions.
      if (socket.bytesRead === before && socket.bytesWritten === 0) socket.destroy();
    }
    for (const socket of this.#greeting.values()) socket.destroy();
    for (const session of this.#sessions) {
      this.#sessions.delete(session);
      session.close();
    }
  }

  /** Those of HTTP/1 that are not in `busy`: upgraded, or slow to say what they want. */
  others(busy: ReadonlySet<object>): Connection[] {
    return [...this.#ready.keys()].filter((socket) => !busy.has(socket) && !this.#isHttp2(socket));
  }

  destroy(): void {
    for (const socket of this.#open) socket.destroy();
  }

  /** Listens no more. */
  forget(): void {
    for (const [event, listener] of this.#listeners) this.#server.off(event, listener);
  }

  #isHttp2(socket: Connection): boolean {
    return this.#h2c || socket.alpnProtocol === "h2";
  }

  readonly #greet = (socket: Connection): void => {
    this.#opened(socket);
    const end = otherEnd(socket);
    if (end === undefined) return;
    this.#greeting.set(end, socket);
    socket.on("close", () => this.#greeting.delete(end));
  };

  readonly #secure = (socket: Connection): void => {
    const end = otherEnd(socket);
    if (end !== undefined) this.#greeting.delete(end);
    this.#readied(socket);
  };

  readonly #connect = (socket: Connection): void => {
    this.#opened(socket);
    this.#readied(socket);
  };

  readonly #begin = (session: Session): void => {
    if (session.encrypted === false) this.#h2c = true;
    attach(session, this.#home);
    this.#sessions.add(session);
    session.on("close", () => this.#sessions.delete(session));
    session.on("stream", this.#arrived);
  };

  #opened(socket: Connection): void {
    this.#open.add(socket);
    socket.on("close", () => this.#open.delete(socket));
  }

  #readied(socket: Connection): void {
    attach(socket, this.#home);
    this.#ready.set(socket, socket.bytesRead);
    socket.on("close", () => this.#ready.delete(socket));
  }
}

/** `undefined` for a connection that has closed again, or came through a file. */
function otherEnd({ remoteAddress, remotePort }: Connection): string | undefined {
  return remotePort === undefined ? undefined : `${remoteAddress ?? ""}|${remotePort}`;
}

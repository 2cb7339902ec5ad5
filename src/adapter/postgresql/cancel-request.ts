/**
 * PostgreSQL's cancel request: a CancelRequest message on a connection of its own.
 * https://www.postgresql.org/docs/current/protocol-flow.html#PROTOCOL-FLOW-CANCELING-REQUESTS
 */
import { connect, type Socket } from "node:net";
import { connect as connectTls, type ConnectionOptions } from "node:tls";
import { background, withSignal } from "../../index.ts";
import type { StopProof } from "../operation.ts";
import { Places } from "../places.ts";

/** A message consists of 32-bit integers: its length, a code, and the arguments of the code. */
const SSL_REQUEST = message(80877103);
const CANCEL = 80877102;

/**
 * The backend that runs the query, and how to connect to its server: as the query's own connection
 * did.
 */
export interface CancelTarget {
  /** The server's address, or a function that opens a socket to it. */
  readonly to: { host: string; port: number } | { path: string } | (() => SocketOrPromise);
  readonly tls?: CancelTls | undefined;
  readonly pid: number;
  readonly secret: number;
}

type SocketOrPromise = Socket | PromiseLike<Socket>;

export interface CancelTls {
  readonly options: ConnectionOptions;
  /** Whether TLS starts without asking the server first (sslnegotiation=direct). */
  readonly direct: boolean;
  /** Whether the request is sent without TLS if the server refuses TLS (sslmode=prefer). */
  readonly optional?: boolean;
}

/**
 * How many connections for cancel requests one server gets at a time. Each costs the server a process,
 * and over TLS a handshake. Clients that connect and disconnect again and again would buy one with each
 * query. A query that ends before its request has a connection needs none.
 */
const AT_ONCE = 8;

/** How long the socket of a request that was given up is left to the server, in milliseconds. */
const ABANDONED_FOR = 30_000;

const placesByServer = new Map<string, Places>();

function placesOf(to: CancelTarget["to"]): Places {
  const server = typeof to === "function" ? "a socket of the user" : JSON.stringify(to);
  let places = placesByServer.get(server);
  if (places === undefined) placesByServer.set(server, (places = new Places(AT_ONCE)));
  return places;
}

/**
 * Returns whether the server has sent a key for cancel requests. Poolers that cannot forward such a
 * request send none, or zeros (pgdogdev/pgdog#918).
 */
export function hasCancelKey(pid: number | null, secret: number | null): boolean {
  return pid !== null && secret !== null && !(pid === 0 && secret === 0);
}

/** One request to stop the query that a backend runs. */
export class CancelRequest {
  readonly #target: CancelTarget;
  #isSent = false;
  #socket: Socket | undefined;
  #reject: ((error: Error) => void) | undefined;
  readonly #abandoned = new AbortController();

  constructor(target: CancelTarget) {
    this.#target = target;
  }

  /**
   * Sends the request, and resolves with "unproven" when the *server* has closed its connection. The
   * server does so only after it has signaled the backend, and a backend that runs nothing drops the
   * signal before it takes the next query. From then on the request can hit no query, if no proxy
   * lies in between. (It proves nothing that the client has written the request.)
   *
   * Resolves with "unsent" if the connection fails before the request was written, and if `signal`
   * aborts before that. Rejects if the connection fails after that, because it is then unknown whether
   * the request can still hit a query.
   */
  async send(signal: AbortSignal): Promise<StopProof> {
    const places = placesOf(this.#target.to);
    using query = withSignal(background(), signal);
    using wait = withSignal(query, this.#abandoned.signal);
    try {
      await places.take(wait);
    } catch {
      return "unsent";
    }
    const dropUnsent = (): void => {
      if (!this.#isSent) this.abandon();
    };
    signal.addEventListener("abort", dropUnsent);
    try {
      await this.#connectAndSend();
      return "unproven";
    } catch (error) {
      if (this.#isSent) throw error;
      return "unsent";
    } finally {
      signal.removeEventListener("abort", dropUnsent); // the next request gets the same signal
      places.give();
    }
  }

  /**
   * Gives the request up. If it was sent already, it may still hit the query that runs there. The
   * socket is then left to the server for a while, because PgBouncer before 1.19.1 ends if a client
   * closes it first (pgbouncer/pgbouncer#846).
   */
  abandon(): void {
    this.#abandoned.abort();
    if (this.#isSent) {
      this.#reject?.(new Error("the cancel request was given up"));
      this.#socket?.unref().setTimeout(ABANDONED_FOR, () => this.#socket?.destroy());
    } else this.#socket?.destroy();
  }

  async #connectAndSend(): Promise<void> {
    const { to, tls } = this.#target;
    const isOpen = typeof to === "function";
    const socket = (this.#socket = isOpen ? await to() : connect(to));
    if (this.#abandoned.signal.aborted) socket.destroy();
    await new Promise<void>((resolve, reject) => {
      this.#reject = reject;
      const fail = (error?: Error): void => {
        socket.destroy();
        reject(error ?? new Error("the connection for the cancel request was closed early"));
      };
      const listen = (socket: Socket): void => {
        socket.once("error", fail);
        socket.once("close", () => fail());
      };
      const send = (over: Socket): void => {
        over.once("end", () => {
          resolve();
          socket.destroy();
        });
        over.resume();
        this.#isSent = true;
        over.write(message(CANCEL, this.#target.pid, this.#target.secret));
      };
      const upgrade = ({ options }: CancelTls): void => {
        socket.removeAllListeners("close"); // from here on, the TLS socket reports the end
        const secure = connectTls({ ...options, socket }, () => send(secure));
        listen(secure);
      };
      const begin = (): void => {
        if (tls === undefined) send(socket);
        else if (tls.direct) upgrade(tls);
        else {
          socket.write(SSL_REQUEST);
          socket.once("data", (answer) => {
            if (answer.toString("latin1") === "S") upgrade(tls);
            else if (tls.optional === true) send(socket);
            else fail(new Error("the server refused TLS for the cancel request"));
          });
        }
      };
      listen(socket);
      if (isOpen) begin();
      else socket.once("connect", begin);
    });
  }
}

/** Resolves when `signal` aborts. */
export function whenAborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener("abort", () => resolve());
  });
}

function message(...integers: number[]): Buffer {
  const buffer = Buffer.alloc(4 + 4 * integers.length);
  buffer.writeInt32BE(buffer.length, 0);
  // Some drivers read the server's integers as signed, and some as unsigned.
  integers.forEach((integer, i) => buffer.writeInt32BE(integer | 0, 4 + 4 * i));
  return buffer;
}

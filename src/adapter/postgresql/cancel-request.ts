/**
 * PostgreSQL's cancel request: a CancelRequest message on a connection of its own.
 * https://www.postgresql.org/docs/current/protocol-flow.html#PROTOCOL-FLOW-CANCELING-REQUESTS
 */
import { connect, type Socket } from "node:net";
import { connect as connectTls, type ConnectionOptions } from "node:tls";
import { background, withSignal } from "../../index.ts";
import type { StopProof } from "../operation.ts";
import { withCancelPlace } from "./cancel-places.ts";

/** A message consists of 32-bit integers: its length, a code, and the arguments of the code. */
const SSL_REQUEST = message(80877103);
const CANCEL = 80877102;

/**
 * The backend that runs the query, and how to connect to its server: as the query's own connection
 * did.
 */
export interface CancelTarget {
  readonly to: ServerAddress;
  readonly tls?: CancelTls | undefined;
  readonly pid: number;
  readonly secret: number;
}

/**
 * The address of a server. `open` opens a socket to it in the user's way. All requests of one `pool`
 * go to the same server.
 */
export type ServerAddress =
  | { readonly host: string; readonly port: number }
  | { readonly path: string }
  | { readonly open: () => Socket | PromiseLike<Socket>; readonly pool: object };

export interface CancelTls {
  readonly options: ConnectionOptions;
  /** Whether TLS starts without asking the server first (sslnegotiation=direct). */
  readonly direct: boolean;
  /** Whether the request is sent without TLS if the server refuses TLS (sslmode=prefer). */
  readonly optional?: boolean;
}

/** How long the socket of a request that was given up is left to the server, in milliseconds. */
const LEFT_FOR = 30_000;

/** How long a request that was given up before it was sent is tried again, in milliseconds. */
const TRIED_FOR = 10_000;

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
  #fail: ((error: Error) => void) | undefined;
  readonly #dropped = new AbortController();

  constructor(target: CancelTarget) {
    this.#target = target;
  }

  /** What stands for the server: a text that is the same for all requests to it, or an object. */
  get server(): string | object {
    const { to } = this.#target;
    return "open" in to ? to.pool : JSON.stringify(to);
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
    const drop = (): void => {
      if (!this.#isSent) this.#drop();
    };
    signal.addEventListener("abort", drop);
    using wait = withSignal(background(), this.#dropped.signal);
    if (signal.aborted) drop();
    try {
      await withCancelPlace(this.server, wait, () => this.#connectAndSend());
      return "unproven";
    } catch (error) {
      if (this.#isSent) throw error;
      return "unsent";
    } finally {
      signal.removeEventListener("abort", drop); // the next request gets the same signal
    }
  }

  /**
   * Gives the request up, because the query's connection was destroyed. The query may still run.
   *
   * If the request was sent already, its socket is left to the server for a while, because PgBouncer
   * before 1.19.1 ends if a client closes it first (pgbouncer/pgbouncer#846). If the request was not
   * sent, it is sent when the server has a place for it. It can hit no other query, because its key
   * belongs to the connection that was destroyed.
   */
  abandon(): void {
    if (this.#isSent) {
      this.#fail?.(new Error("the cancel request was given up"));
      const socket = this.#socket;
      (socket as Partial<Socket> | undefined)?.unref?.();
      setTimeout(() => socket?.destroy(), LEFT_FOR).unref();
      return;
    }
    this.#drop();
    const later = new CancelRequest(this.#target);
    later.send(AbortSignal.timeout(TRIED_FOR)).catch(() => undefined); // nothing depends on it
  }

  #drop(): void {
    this.#dropped.abort();
    this.#fail?.(new Error("the cancel request was dropped"));
    this.#socket?.destroy();
  }

  async #connectAndSend(): Promise<void> {
    const { to, tls } = this.#target;
    this.#dropped.signal.throwIfAborted();
    await new Promise<void>((resolve, reject) => {
      this.#fail = reject;
      const run = (socket: Socket): void => {
        this.#socket = socket;
        if (this.#dropped.signal.aborted) socket.destroy();
        else this.#sendOver(socket, tls, resolve, reject);
      };
      // `open` may never settle, so `#drop` rejects, and a socket that comes late is closed.
      if ("open" in to) void (async () => to.open())().then(run, reject);
      else run(connect(to));
    });
  }

  #sendOver(
    socket: Socket,
    tls: CancelTls | undefined,
    resolve: () => void,
    reject: (error: Error) => void,
  ): void {
    const fail = (error?: Error): void => {
      reject(error ?? new Error("the connection for the cancel request was closed early"));
      // If the request was given up, its socket is left to the server.
      if (!this.#isSent) socket.destroy();
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
    if (socket.connecting) socket.once("connect", begin);
    else begin();
  }
}

function message(...integers: number[]): Buffer {
  const buffer = Buffer.alloc(4 + 4 * integers.length);
  buffer.writeInt32BE(buffer.length, 0);
  // Some drivers read the server's integers as signed, and some as unsigned.
  integers.forEach((integer, i) => buffer.writeInt32BE(integer | 0, 4 + 4 * i));
  return buffer;
}

/**
 * PostgreSQL's way to stop a query: a CancelRequest on a connection of its own.
 * https://www.postgresql.org/docs/current/protocol-flow.html#PROTOCOL-FLOW-CANCELING-REQUESTS
 */
import { connect, type Socket } from "node:net";
import { connect as connectTls, type ConnectionOptions } from "node:tls";

/** Each message is its length, a code, and what belongs to it, in 32-bit integers. */
const SSL_REQUEST = message(80877103);
const CANCEL = 80877102;

/** What is running, and how to reach the server it runs on: as its own connection does. */
export interface CancelTarget {
  /** The server's address, or a socket that is connected to it already. */
  readonly to: { host: string; port: number } | { path: string } | Socket;
  readonly tls?: CancelTls | undefined;
  readonly pid: number;
  readonly secret: number;
}

export interface CancelTls {
  readonly options: ConnectionOptions;
  /** Without asking the server first (sslnegotiation=direct). */
  readonly direct: boolean;
  /** Whether a server that refuses TLS is reached without (sslmode=prefer). */
  readonly optional?: boolean;
}

/** A CancelRequest on its way. */
export interface CancelRequest {
  /**
   * Resolves when the *server* has closed the cancel connection: it does so only after it has
   * signalled the backend, and a backend that runs nothing forgets the signal before it takes the
   * next query. So from then on the request can hit nothing. Our own write says nothing of that.
   * Rejects when the connection fails in any other way: then nobody knows, if it was `sent`.
   */
  readonly closed: Promise<void>;
  /** Whether the request itself has been written. Before that, nothing can come of it. */
  readonly sent: boolean;
  /** Closes the socket. If the request has left already, it may still hit whatever runs there. */
  abandon(): void;
}

/** Asks the server to stop what the backend is running, over a new connection. */
export function cancelRequest({ to, tls, pid, secret }: CancelTarget): CancelRequest {
  const given = "destroy" in to;
  const socket = given ? to : connect(to);
  let sent = false;
  const closed = new Promise<void>((resolve, reject) => {
    const failed = (error?: Error): void => {
      socket.destroy();
      reject(error ?? new Error("the connection for the cancel request was closed early"));
    };
    const listen = (to: Socket): void => {
      to.once("error", failed);
      to.once("close", () => failed());
    };
    const send = (on: Socket): void => {
      on.once("end", () => {
        resolve();
        socket.destroy();
      });
      on.resume();
      sent = true;
      on.write(message(CANCEL, pid, secret));
    };
    const upgrade = ({ options }: CancelTls): void => {
      socket.removeAllListeners("close"); // from here on the secure one says how it ends
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
          else failed(new Error("the server refused TLS for the cancel request"));
        });
      }
    };
    listen(socket);
    if (given) begin();
    else socket.once("connect", begin);
  });
  return {
    closed,
    get sent() {
      return sent;
    },
    abandon: () => socket.destroy(),
  };
}

function message(...integers: number[]): Buffer {
  const buffer = Buffer.alloc(4 + 4 * integers.length);
  buffer.writeInt32BE(buffer.length, 0);
  // Drivers differ in whether they read the server's integers as signed.
  integers.forEach((integer, i) => buffer.writeInt32BE(integer | 0, 4 + 4 * i));
  return buffer;
}

/**
 * PostgreSQL's cancel request: a CancelRequest message on a connection of its own.
 * https://www.postgresql.org/docs/current/protocol-flow.html#PROTOCOL-FLOW-CANCELING-REQUESTS
 */
import { connect, type Socket } from "node:net";
import { connect as connectTls, type ConnectionOptions } from "node:tls";

/** A message consists of 32-bit integers: its length, a code, and the arguments of the code. */
const SSL_REQUEST = message(80877103);
const CANCEL = 80877102;

/**
 * The backend that runs the query, and how to connect to its server: as the query's own connection
 * did.
 */
export interface CancelTarget {
  /** The server's address, or a socket that is connected to the server already. */
  readonly to: { host: string; port: number } | { path: string } | Socket;
  readonly tls?: CancelTls | undefined;
  readonly pid: number;
  readonly secret: number;
}

export interface CancelTls {
  readonly options: ConnectionOptions;
  /** Whether TLS starts without asking the server first (sslnegotiation=direct). */
  readonly direct: boolean;
  /** Whether the request is sent without TLS if the server refuses TLS (sslmode=prefer). */
  readonly optional?: boolean;
}

/** A cancel request that is being sent. */
export interface CancelRequest {
  /**
   * Resolves when the *server* has closed the connection of the request. The server does so only
   * after it has signaled the backend, and a backend that runs nothing drops the signal before it
   * takes the next query. From then on the request can hit no query. (It proves nothing that the
   * client has written the request.) Rejects if the connection fails in any other way. If the
   * request was `sent` before that, it is unknown whether it can still hit a query.
   */
  readonly closed: Promise<void>;
  /** Whether the request itself was written. Before that, the request can hit no query. */
  readonly sent: boolean;
  /** Closes the socket. A request that was sent already may still hit the query that runs there. */
  abandon(): void;
}

/** Asks the server to stop the query that the backend runs. */
export function cancelRequest({ to, tls, pid, secret }: CancelTarget): CancelRequest {
  const isConnected = "destroy" in to;
  const socket = isConnected ? to : connect(to);
  let sent = false;
  const closed = new Promise<void>((resolve, reject) => {
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
      sent = true;
      over.write(message(CANCEL, pid, secret));
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
    if (isConnected) begin();
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
  // Some drivers read the server's integers as signed, and some as unsigned.
  integers.forEach((integer, i) => buffer.writeInt32BE(integer | 0, 4 + 4 * i));
  return buffer;
}

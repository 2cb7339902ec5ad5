/**
 * PostgreSQL's way to stop a query: a CancelRequest on a connection of its own.
 * https://www.postgresql.org/docs/current/protocol-flow.html#PROTOCOL-FLOW-CANCELING-REQUESTS
 */
import { connect, isIP, type Socket } from "node:net";
import { connect as connectTls, type ConnectionOptions } from "node:tls";
import type { Client } from "./driver.ts";

/** Each message is its length, a code, and what belongs to it, in 32-bit integers. */
const SSL_REQUEST = message(80877103);
const CANCEL = 80877102;

/** A CancelRequest on its way. */
export interface CancelRequest {
  /**
   * Resolves when the *server* has closed the cancel connection: it does so only after it has
   * signalled the backend, and a backend that runs nothing forgets the signal before it takes the
   * next query. So from then on the request can hit nothing. Our own write says nothing of that.
   * Rejects when the connection fails in any other way: then nobody knows.
   */
  readonly closed: Promise<void>;
  /** Closes the socket. If the request has left already, it may still hit whatever runs there. */
  abandon(): void;
}

/**
 * Asks the server to stop what `client` is running, over a new connection to the very address that
 * `client` is connected to (a name may resolve to several servers) and with the same TLS.
 */
export function cancelRequest(client: Client): CancelRequest {
  const { connection, processID, secretKey, host, port } = client;
  const { remoteAddress, remotePort } = connection.stream;
  const socket =
    remoteAddress !== undefined && remotePort !== undefined
      ? connect({ host: remoteAddress, port: remotePort })
      : connect({ path: `${host}/.s.PGSQL.${port}` });
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
      on.write(message(CANCEL, Number(processID), Number(secretKey)));
    };
    const upgrade = (): void => {
      socket.removeAllListeners("close"); // from here on the secure one says how it ends
      const secure = connectTls(tlsOptions(client, socket), () => send(secure));
      listen(secure);
    };
    listen(socket);
    socket.once("connect", () => {
      if (!connection.ssl) send(socket);
      else if (connection.sslNegotiation === "direct") upgrade();
      else {
        socket.write(SSL_REQUEST);
        socket.once("data", (answer) => {
          if (answer.toString("latin1") === "S") upgrade();
          else failed(new Error("the server refused TLS for the cancel request"));
        });
      }
    });
  });
  return { closed, abandon: () => socket.destroy() };
}

/** As `upgradeToSSL` in pg/lib/connection.js, so that what let the connection in lets this in. */
function tlsOptions({ connection, host }: Client, socket: Socket): ConnectionOptions {
  const options: ConnectionOptions = { socket, host };
  if (typeof connection.ssl === "object") {
    Object.assign(options, connection.ssl);
    // pg hides the key from loggers by making it non-enumerable.
    if (connection.ssl.key !== undefined) options.key = connection.ssl.key;
  }
  if (connection.sslNegotiation === "direct") options.ALPNProtocols = ["postgresql"];
  if (isIP(host) === 0) options.servername = host;
  return options;
}

function message(...integers: number[]): Buffer {
  const buffer = Buffer.alloc(4 + 4 * integers.length);
  buffer.writeInt32BE(buffer.length, 0);
  integers.forEach((integer, i) => buffer.writeInt32BE(integer, 4 + 4 * i));
  return buffer;
}

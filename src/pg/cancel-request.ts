/** The cancel request for the query that a client runs. */
import { isIP } from "node:net";
import type { ConnectionOptions } from "node:tls";
import {
  CancelRequest,
  hasCancelKey,
  type CancelTls,
} from "../adapter/postgresql/cancel-request.ts";
import type { Client } from "./driver.ts";

/**
 * Returns a request to stop the query that runs on `client`, or `undefined` if the server has sent no
 * key for one. The request takes a new connection to the address that `client` is connected to,
 * because the host name may resolve to several servers. It uses the same TLS settings.
 */
export function cancelRequestFor(client: Client): CancelRequest | undefined {
  const { connection, processID, secretKey, host, port } = client;
  if (!hasCancelKey(processID, secretKey)) return undefined;
  const { remoteAddress, remotePort } = connection.stream;
  return new CancelRequest({
    to:
      remoteAddress !== undefined && remotePort !== undefined
        ? { host: remoteAddress, port: remotePort }
        : host.startsWith("/")
          ? { path: `${host}/.s.PGSQL.${port}` }
          : { host, port }, // the stream is one of the user's, or it has closed
    tls: tlsOf(client),
    pid: Number(processID),
    secret: Number(secretKey),
  });
}

/**
 * Returns the TLS options that the client's own connection has. The code follows `upgradeToSSL` in
 * pg/lib/connection.js, so that the server accepts this connection if it accepted that one.
 */
function tlsOf({ connection, host }: Client): CancelTls | undefined {
  if (!connection.ssl) return undefined;
  const options: ConnectionOptions = { host };
  if (typeof connection.ssl === "object") {
    Object.assign(options, connection.ssl);
    // pg makes the key non-enumerable, to hide it from loggers.
    if (connection.ssl.key !== undefined) options.key = connection.ssl.key;
  }
  const direct = connection.sslNegotiation === "direct";
  if (direct) options.ALPNProtocols = ["postgresql"];
  if (isIP(host) === 0) options.servername = host;
  return { options, direct };
}

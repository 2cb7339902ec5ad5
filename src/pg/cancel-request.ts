/** Where a client's cancel requests go. */
import { isIP } from "node:net";
import type { ConnectionOptions } from "node:tls";
import {
  cancelRequest,
  type CancelRequest,
  type CancelTls,
} from "../adapter/postgresql/cancel-request.ts";
import type { Client } from "./driver.ts";

/**
 * Asks the server to stop what `client` is running, over a new connection to the very address that
 * `client` is connected to (a name may resolve to several servers) and with the same TLS.
 */
export function cancel(client: Client): CancelRequest {
  const { connection, processID, secretKey, host, port } = client;
  const { remoteAddress, remotePort } = connection.stream;
  return cancelRequest({
    to:
      remoteAddress !== undefined && remotePort !== undefined
        ? { host: remoteAddress, port: remotePort }
        : { path: `${host}/.s.PGSQL.${port}` },
    tls: tlsOf(client),
    pid: Number(processID),
    secret: Number(secretKey),
  });
}

/** As `upgradeToSSL` in pg/lib/connection.js, so that what let the connection in lets this in. */
function tlsOf({ connection, host }: Client): CancelTls | undefined {
  if (!connection.ssl) return undefined;
  const options: ConnectionOptions = { host };
  if (typeof connection.ssl === "object") {
    Object.assign(options, connection.ssl);
    // pg hides the key from loggers by making it non-enumerable.
    if (connection.ssl.key !== undefined) options.key = connection.ssl.key;
  }
  const direct = connection.sslNegotiation === "direct";
  if (direct) options.ALPNProtocols = ["postgresql"];
  if (isIP(host) === 0) options.servername = host;
  return { options, direct };
}

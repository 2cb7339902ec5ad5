/** The cancel request for the query that a connection of the pool runs. */
import type { Socket } from "node:net";
import type { Duplex } from "node:stream";
import type { ConnectionOptions, TLSSocket } from "node:tls";
import {
  CancelRequest,
  hasCancelKey,
  type CancelTls,
  type ServerAddress,
} from "../adapter/postgresql/cancel-request.ts";
import type { Backend, PoolOptions } from "./driver.ts";

/**
 * Returns a request to stop the query that `backend` runs, or `undefined` if the server has sent no
 * key for one. `socket` is that of the query's connection, if it is known. The request takes a new
 * connection to the address that `socket` is connected to, because a pool may have several hosts, and
 * a host name may resolve to several servers.
 */
export function cancelRequestFor(
  { pid, secret }: Backend,
  options: PoolOptions,
  socket: Duplex | undefined,
): CancelRequest | undefined {
  if (!hasCancelKey(pid, secret)) return undefined;
  return new CancelRequest({
    to: addressOf(options, socket),
    tls: tlsOf(options, (socket as Partial<TLSSocket> | undefined)?.servername),
    pid: Number(pid),
    secret: Number(secret),
  });
}

const CLOSED = new Error("the connection of the query has closed");

function addressOf(options: PoolOptions, socket: Duplex | undefined): ServerAddress {
  const { path, socket: open } = options;
  if (open !== undefined) return { open: () => open(options), pool: options };
  if (typeof path === "string") return { path };
  // A socket that has closed has no address. Its query has ended with it, so nothing is sent.
  const { remoteAddress, remotePort } = Object(socket) as Partial<Socket>;
  return remoteAddress !== undefined && remotePort !== undefined
    ? { host: remoteAddress, port: remotePort }
    : { open: () => Promise.reject(CLOSED), pool: options };
}

/**
 * Returns the TLS options of the driver's own connections, as `secure` makes them, so that the
 * server accepts the cancel request too.
 * https://github.com/porsager/postgres/blob/v3.4.9/src/connection.js#L266-L294
 */
function tlsOf(
  { ssl, sslnegotiation }: PoolOptions,
  servername: string | false | null | undefined,
): CancelTls | undefined {
  if (ssl === undefined || ssl === false) return undefined;
  const direct = sslnegotiation === "direct";
  const options: ConnectionOptions = {};
  if (typeof servername === "string") options.servername = servername;
  if (direct) options.ALPNProtocols = ["postgresql"];
  if (ssl === "require" || ssl === "allow" || ssl === "prefer") options.rejectUnauthorized = false;
  else if (typeof ssl === "object") Object.assign(options, ssl);
  return { options, direct, optional: ssl === "prefer" };
}

/** Sends the cancel requests for one query of a pool. */
import { lookup } from "node:dns/promises";
import { isIP } from "node:net";
import type { ConnectionOptions } from "node:tls";
import {
  cancelRequest,
  type CancelRequest,
  type CancelTarget,
  type CancelTls,
} from "../adapter/postgresql/cancel-request.ts";
import type { Backend, PoolOptions } from "./driver.ts";

/**
 * Asks the server to stop the query that `backend` is running.
 *
 * The driver does not say to which of its hosts, or to which address of a host, it is connected. So
 * every address gets a request. The request has an effect only on the right server, because it
 * carries the secret key of the connection.
 */
export class CancelRequests {
  #requests: readonly CancelRequest[] = [];
  #isAbandoned = false;

  /**
   * Resolves when none of the requests can hit anything. When `signal` aborts, requests that were
   * not sent yet are dropped. Resolves with whether a request was sent. Rejects if a request was
   * sent and its effect is unknown. Calls must not overlap.
   */
  async send(options: PoolOptions, backend: Backend, signal: AbortSignal): Promise<boolean> {
    const { pid, secret } = backend;
    if (pid === null || secret === null) {
      throw new Error("the server sent no key for cancel requests");
    }
    const addresses = await addressesOf(options).catch(() => []); // a host name may not resolve now
    if (signal.aborted || this.#isAbandoned) return false;
    const requests = addresses.map((address) => cancelRequest({ ...address, pid, secret }));
    this.#requests = requests;
    const dropUnsent = (): void => {
      for (const request of requests) if (!request.sent) request.abandon();
    };
    signal.addEventListener("abort", dropUnsent);
    const answers = await Promise.allSettled(requests.map((request) => request.closed));
    signal.removeEventListener("abort", dropUnsent); // the next call gets the same signal
    for (const [i, answer] of answers.entries()) {
      if (answer.status === "rejected" && requests[i]?.sent === true) throw answer.reason;
    }
    return requests.some((request) => request.sent);
  }

  /** Closes the connections of all requests. */
  abandon(): void {
    this.#isAbandoned = true;
    for (const request of this.#requests) request.abandon();
  }
}

/** Where a server may be, and how to connect there. */
type Address = Pick<CancelTarget, "to" | "tls">;

async function addressesOf(options: PoolOptions): Promise<Address[]> {
  const { host, port, path, socket } = options;
  if (socket !== undefined) {
    return [{ to: await socket(options), tls: tlsOf(options, undefined) }];
  }
  if (typeof path === "string") return [{ to: { path }, tls: tlsOf(options, undefined) }];
  const lookups = port.map(async (port, i): Promise<Address[]> => {
    const name = host[i];
    if (name === undefined) return []; // the driver does not connect there either
    // The driver turns "::1" into an empty name, and Node takes an empty name for localhost.
    const found = isIP(name)
      ? [{ address: name }]
      : await lookup(name || "localhost", { all: true });
    const tls = tlsOf(options, name);
    return found.map(({ address }) => ({ to: { host: address, port }, tls }));
  });
  const results = await Promise.allSettled(lookups);
  const addresses = results.flatMap((result) =>
    result.status === "fulfilled" ? result.value : [],
  );
  const failed = results.find((result) => result.status === "rejected");
  if (addresses.length === 0) {
    throw failed?.reason ?? new Error("there is no host for the cancel request");
  }
  return addresses;
}

/**
 * Returns the TLS options of the driver's own connections, as `secure` makes them, so that the
 * server accepts the cancel request too.
 * https://github.com/porsager/postgres/blob/v3.4.9/src/connection.js#L266-L294
 */
function tlsOf({ ssl, sslnegotiation }: PoolOptions, host?: string): CancelTls | undefined {
  if (ssl === undefined || ssl === false) return undefined;
  const direct = sslnegotiation === "direct";
  const options: ConnectionOptions = {};
  if (host !== undefined && isIP(host) === 0) options.servername = host;
  if (direct) options.ALPNProtocols = ["postgresql"];
  if (ssl === "require" || ssl === "allow" || ssl === "prefer") options.rejectUnauthorized = false;
  else if (typeof ssl === "object") Object.assign(options, ssl);
  return { options, direct, optional: ssl === "prefer" };
}

/** Where the cancel requests of a pool go. */
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
 * Asks the server to stop what `backend` is running.
 *
 * The driver does not say to which of its hosts, or of the addresses of a name, it is connected. So
 * each of them is asked: the secret key makes the request mean nothing to any but the right one.
 */
export class Cancel {
  readonly #requests: CancelRequest[] = [];
  #abandoned = false;

  /**
   * Resolves when none of the requests can hit anything. What has not been sent by the time that
   * `settled` resolves is not sent any more.
   */
  async send(options: PoolOptions, backend: Backend, settled: PromiseLike<unknown>): Promise<void> {
    const { pid, secret } = backend;
    if (pid === null || secret === null) throw new Error("the server gave no key to cancel with");
    let isSettled = false;
    const unsent = (): void => {
      isSettled = true;
      for (const request of this.#requests) if (!request.sent) request.abandon();
    };
    void settled.then(unsent);
    const ways = await waysTo(options);
    if (isSettled || this.#abandoned) return;
    const requests = ways.map((way) => cancelRequest({ ...way, pid, secret }));
    this.#requests.push(...requests);
    const answers = await Promise.allSettled(requests.map((request) => request.closed));
    const failures = answers.flatMap((answer, i) =>
      answer.status === "rejected"
        ? [{ error: answer.reason as unknown, sent: requests[i]?.sent }]
        : [],
    );
    const harmful = failures.find(({ sent }) => sent === true);
    const allFailed = failures.length === requests.length && !isSettled;
    if (harmful !== undefined || allFailed) throw (harmful ?? failures[0])?.error;
  }

  abandon(): void {
    this.#abandoned = true;
    for (const request of this.#requests) request.abandon();
  }
}

type Way = Pick<CancelTarget, "to" | "tls">;

async function waysTo(options: PoolOptions): Promise<Way[]> {
  const { host, port, path, socket } = options;
  if (socket !== undefined) {
    return [{ to: await socket(options), tls: tlsOf(options, undefined) }];
  }
  if (typeof path === "string") return [{ to: { path }, tls: tlsOf(options, undefined) }];
  const ways = port.map(async (port, i): Promise<Way[]> => {
    const name = host[i];
    if (name === undefined) return []; // the driver does not come to it, either
    // The driver makes an empty name of "::1", and Node localhost of that.
    const addresses = isIP(name)
      ? [{ address: name }]
      : await lookup(name || "localhost", { all: true });
    const tls = tlsOf(options, name);
    return addresses.map(({ address }) => ({ to: { host: address, port }, tls }));
  });
  const known = await Promise.allSettled(ways);
  const found = known.flatMap((way) => (way.status === "fulfilled" ? way.value : []));
  const failed = known.find((way) => way.status === "rejected");
  if (found.length === 0) throw failed?.reason ?? new Error("there is no host to cancel at");
  return found;
}

/** As `secure` in postgres/src/connection.js, so that what let the connection in lets this in. */
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

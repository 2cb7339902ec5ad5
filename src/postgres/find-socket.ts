/**
 * Finds the sockets of postgres.js' connections. This is the one file that patches a prototype of Node.
 *
 * Why: a cancel request must go to the address that the connection has, and a connection to a server
 * that has stopped answering must be destroyed. The driver exposes nothing that refers to the socket.
 *
 * What is patched: `write` of `Duplex.prototype` of `node:stream`, which the sockets of `node:net` and
 * `node:tls` inherit, and streams that a user may pass as sockets. The replacement records the stream
 * that it is called on first, and writes.
 *
 * For how long: during one synchronous call that makes the driver write, once for each socket. No other
 * code of the process can run in between. What undoes it: the `finally` block, which restores the
 * property as it was, an instrumentation's `write` included.
 *
 * What it relies on in the driver:
 * - If there are 1,024 bytes or more, a connection writes them synchronously:
 *   https://github.com/porsager/postgres/blob/v3.4.9/src/connection.js#L245-L258
 *   https://github.com/porsager/postgres/blob/v3.4.5/src/connection.js#L240-L253
 * - The socket is a `net.Socket`, a `tls.TLSSocket` over TLS, or what the user's `socket` returned:
 *   https://github.com/porsager/postgres/blob/v3.4.9/src/connection.js#L129-L143
 *   https://github.com/porsager/postgres/blob/v3.4.9/src/connection.js#L266-L294
 * - When the socket has closed, the driver gives the place back to its pool:
 *   https://github.com/porsager/postgres/blob/v3.4.9/src/connection.js#L436-L460
 *
 * `find-socket.test.ts` checks these three on the installed version of the driver.
 */
import { Duplex } from "node:stream";

/**
 * Calls `write`, which makes the driver write something synchronously, and returns the socket that it
 * has written to. Returns `undefined` if the user has opened the socket, and it is no stream of Node.
 */
export function findSocket(write: () => void): Duplex | undefined {
  const own = Object.getOwnPropertyDescriptor(Duplex.prototype, "write");
  const original = Reflect.get(Duplex.prototype, "write") as (...args: unknown[]) => boolean;
  let found: Duplex | undefined;
  Object.defineProperty(Duplex.prototype, "write", {
    configurable: true,
    writable: true,
    value(this: Duplex, ...args: unknown[]) {
      // eslint-disable-next-line @typescript-eslint/no-this-alias -- the socket is what is looked for
      found ??= this;
      return original.apply(this, args);
    },
  });
  try {
    write();
  } finally {
    if (own !== undefined) Object.defineProperty(Duplex.prototype, "write", own);
    else delete (Duplex.prototype as Partial<Duplex>).write;
  }
  return found;
}

/**
 * Finds the sockets of postgres.js' connections. This is the one file that patches a prototype of Node.
 *
 * Why: a cancel request must go to the address that the connection has, and a connection to a server
 * that has stopped answering must be destroyed. The driver exposes nothing that refers to the socket.
 *
 * What is patched: `write` of `Socket.prototype` of `node:net`, which TLS sockets inherit. The
 * replacement records the socket that it is called on, and writes.
 *
 * For how long: during one synchronous call that makes the driver write, once for each socket. No other
 * code of the process can run in between. What undoes it: the `finally` block, which restores the
 * property as it was, an instrumentation's `write` included.
 *
 * What it relies on in the driver:
 * - If there are 1,024 bytes or more, a connection writes them synchronously:
 *   https://github.com/porsager/postgres/blob/v3.4.9/src/connection.js#L245-L258
 *   https://github.com/porsager/postgres/blob/v3.4.5/src/connection.js#L240-L253
 * - The socket is a `net.Socket` or, over TLS, a `tls.TLSSocket`:
 *   https://github.com/porsager/postgres/blob/v3.4.9/src/connection.js#L129-L143
 *   https://github.com/porsager/postgres/blob/v3.4.9/src/connection.js#L266-L294
 * - When the socket has closed, the driver gives the place back to its pool:
 *   https://github.com/porsager/postgres/blob/v3.4.9/src/connection.js#L436-L460
 *
 * `find-socket.test.ts` checks these three on the installed version of the driver.
 */
import { Socket } from "node:net";

/**
 * Calls `write`, which makes the driver write something synchronously, and returns the socket that it
 * has written to. Returns `undefined` if the user has opened the socket, and it is not one of Node.
 */
export function findSocket(write: () => void): Socket | undefined {
  const own = Object.getOwnPropertyDescriptor(Socket.prototype, "write");
  const original = Reflect.get(Socket.prototype, "write") as (...args: unknown[]) => boolean;
  let found: Socket | undefined;
  Object.defineProperty(Socket.prototype, "write", {
    configurable: true,
    writable: true,
    value(this: Socket, ...args: unknown[]) {
      // eslint-disable-next-line @typescript-eslint/no-this-alias -- the socket is what is looked for
      found ??= this;
      return original.apply(this, args);
    },
  });
  try {
    write();
  } finally {
    if (own !== undefined) Object.defineProperty(Socket.prototype, "write", own);
    else delete (Socket.prototype as Partial<Socket>).write;
  }
  return found;
}

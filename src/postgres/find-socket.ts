/**
 * Finds the socket of a connection of postgres.js. This is the one file that patches a prototype of
 * Node.
 *
 * Why: a connection to a server that has stopped answering must be destroyed, or its place in the
 * pool never becomes free. The driver has no hook for that. `terminate` of a connection only sends a
 * goodbye and half-closes the socket, and nothing that the driver exposes refers to the socket.
 *
 * What is patched: `end` of `Socket.prototype` of `node:net`, which TLS sockets inherit. The
 * replacement records the socket that it is called on, and does nothing else, so the goodbye is not
 * sent.
 *
 * For how long: during one synchronous call of `terminate`. No other code of the process can run in
 * between, except what the driver itself calls there: the rejection of the connection's queries.
 * What undoes it: the `finally` block, which restores the property as it was, an instrumentation's
 * `end` included.
 *
 * What it relies on in the driver:
 * - `terminate` calls `socket.end(…)` synchronously if the socket is open:
 *   https://github.com/porsager/postgres/blob/v3.4.9/src/connection.js#L422-L434
 *   https://github.com/porsager/postgres/blob/v3.4.5/src/connection.js#L407-L419
 * - The socket is a `net.Socket` or, over TLS, a `tls.TLSSocket`:
 *   https://github.com/porsager/postgres/blob/v3.4.9/src/connection.js#L129-L143
 *   https://github.com/porsager/postgres/blob/v3.4.9/src/connection.js#L266-L294
 * - When the socket has closed, the driver gives the place back to its pool:
 *   https://github.com/porsager/postgres/blob/v3.4.9/src/connection.js#L436-L460
 *
 * `find-socket.test.ts` checks these three on the installed version of the driver.
 */
import { Socket } from "node:net";
import type { Connection } from "./driver.ts";

/**
 * Terminates `connection`, which rejects its queries, and returns its socket, to be destroyed.
 * Returns `undefined` if the socket is closing already, or if the user has opened it and it is not a
 * socket of Node.
 */
export function terminateAndFindSocket(
  connection: Pick<Connection, "terminate">,
): Socket | undefined {
  const original = Object.getOwnPropertyDescriptor(Socket.prototype, "end");
  let socket: Socket | undefined;
  Object.defineProperty(Socket.prototype, "end", {
    configurable: true,
    writable: true,
    value(this: Socket) {
      // eslint-disable-next-line @typescript-eslint/no-this-alias -- the socket is what is looked for
      socket = this;
      return this;
    },
  });
  try {
    connection.terminate();
  } finally {
    if (original !== undefined) Object.defineProperty(Socket.prototype, "end", original);
    else delete (Socket.prototype as Partial<Socket>).end;
  }
  return socket;
}

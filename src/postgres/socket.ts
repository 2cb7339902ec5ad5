/** Sockets of the driver that fail, or must. */
import { Socket } from "node:net";
import { isContextError } from "../index.ts";
import type { Connection } from "./driver.ts";

/** Whether this may be an error of the connection: neither the server's nor about the values. */
export function isBroken(error: unknown): boolean {
  const { severity, errno, code } = Object(error) as Record<string, unknown>;
  const isOfValues = error instanceof TypeError || error instanceof RangeError;
  return (
    !isOfValues &&
    !isContextError(error) &&
    severity === undefined &&
    (errno !== undefined || /^ERR_/.test(String(code)))
  );
}

/**
 * To be called when the socket has closed. What was sent between its error and its close the driver
 * neither fails nor forgets: it hangs, and on the next connection in this place it waits for an
 * answer before all others, which hang with it (porsager/postgres #1215). This fails what is left.
 */
export function mend(connection: Connection): void {
  connection.terminate();
}

/**
 * The driver shows its sockets to nobody, and its `terminate` only says goodbye: from a server that
 * does not answer, the place in the pool would never come back. But it says so to the socket, there
 * and then, which is how we see which one it is. Undefined for a socket that is closing already, or
 * that is the user's own and none of Node's.
 */
export function socketOf(terminate: () => void): Socket | undefined {
  const own = Object.getOwnPropertyDescriptor(Socket.prototype, "end");
  let socket: Socket | undefined;
  Object.defineProperty(Socket.prototype, "end", {
    configurable: true,
    writable: true,
    value(this: Socket) {
      // eslint-disable-next-line @typescript-eslint/no-this-alias -- to see it is all this is for
      socket = this;
      return this;
    },
  });
  try {
    terminate();
  } finally {
    if (own !== undefined) Object.defineProperty(Socket.prototype, "end", own);
    else delete (Socket.prototype as Partial<Socket>).end;
  }
  return socket;
}

/** How many connections for cancel requests a server gets at a time. */
import type { Context } from "../../index.ts";
import { Places } from "../places.ts";

/**
 * Each connection for a cancel request costs the server a process, and over TLS a handshake. Clients
 * that connect and disconnect again and again would buy one with each query. A query that ends before
 * its request has a place needs none.
 */
const AT_ONCE = 8;

const placesByServer = new Map<unknown, Places>();

/**
 * Calls `send` when `server`, a string or an object that stands for it, has a place for one more
 * connection. Rejects with `ctx.err()` if `ctx` ends before that.
 */
export async function withCancelPlace<T>(
  server: unknown,
  ctx: Context,
  send: () => Promise<T>,
): Promise<T> {
  const places = placesByServer.get(server) ?? new Places(AT_ONCE);
  placesByServer.set(server, places);
  await places.take(ctx);
  try {
    return await send();
  } finally {
    places.give();
    if (places.free === AT_ONCE) placesByServer.delete(server);
  }
}

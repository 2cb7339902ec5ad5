/** How many connections for cancel requests a server gets at a time. */
import { Semaphore, type Context, type Permit } from "../../index.ts";

/**
 * Each connection for a cancel request costs the server a process, and over TLS a handshake. Clients
 * that connect and disconnect again and again would buy one with each query. A query that ends before
 * its request has a place needs none.
 */
const AT_ONCE = 8;

const placesByServer = new Map<unknown, Semaphore>();

/**
 * Calls `send` when `server`, a string or an object that stands for it, has a place for one more
 * connection. Rejects with `ctx.err()` if `ctx` ends before that.
 */
export async function withCancelPlace<T>(
  server: unknown,
  ctx: Context,
  send: () => Promise<T>,
): Promise<T> {
  const places = placesByServer.get(server) ?? new Semaphore(AT_ONCE);
  placesByServer.set(server, places);
  let place: Permit | undefined;
  try {
    place = await places.acquire(ctx);
    return await send();
  } finally {
    place?.release();
    // Also after a rejection, which can give back the last place. By then, the server may have others.
    const isUnused = places.free === AT_ONCE && placesByServer.get(server) === places;
    if (isUnused) placesByServer.delete(server);
  }
}

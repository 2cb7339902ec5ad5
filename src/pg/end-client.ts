/**
 * Destroys connections of `pg`. Every file of this adapter that ends a connection does it here.
 *
 * Both functions close the socket themselves. `client.end()`, which a pool calls too, sends an idle
 * server a Terminate message and waits until the server closes the connection. A server that does
 * not answer would keep the socket open, and the pool would not open another connection.
 */
import type { Client, PoolClient } from "./driver.ts";

/**
 * Destroys the connection of a client that stays with its owner: the caller, or the code that leased
 * the client and still has to return it.
 */
export function destroyClient(client: Client): void {
  // `end` comes first: pg emits "error" when the socket closes, unless `end` was called. An "error"
  // event without a listener ends the process.
  void client.end();
  client.connection.stream.destroy();
}

/** Destroys the connection of a leased client and returns the client, which its pool removes. */
export function destroyPoolClient(client: PoolClient): void {
  // The pool calls `client.end()`, so the next line causes no "error" event.
  client.release(true);
  client.connection.stream.destroy();
  // Removed last, because the pool listens to "error" only from `release` on.
  client.removeListener("error", ignoreError);
}

/** The "error" listener of a leased client. */
export function ignoreError(): void {
  // Does nothing, because the query rejects with the same error.
}

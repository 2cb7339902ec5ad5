/** Whether a connection is inside a transaction, as the server reported last. */
import type { Client } from "./driver.ts";

/**
 * Returns whether the connection is outside any transaction. Returns false if that is unknown. pg
 * has the status `null` until the login has ended, and no transaction begins before that.
 */
export function isOutsideTransaction(client: Client): boolean {
  const status = client.getTransactionStatus?.();
  return status === "I" || status === null;
}

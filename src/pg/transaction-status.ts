/** The transaction status of a client's connection, as the server reported it last. */
import type { Client, Connection } from "./driver.ts";

/** "I" is idle outside any transaction, "T" is inside one, "E" is inside one that has failed. */
export type TransactionStatus = "I" | "T" | "E";

interface StatusRecord {
  status: TransactionStatus | undefined;
}
const records = new WeakMap<Connection, StatusRecord>();

/**
 * Records the status of the client from now on. Call it as soon as the adapter has the client. From
 * 8.21 on, pg records the status itself, and this function does nothing.
 */
export function trackTransactionStatus(client: Client): void {
  const { connection } = client;
  if (client.getTransactionStatus !== undefined || records.has(connection)) return;
  // A session begins idle. pg sets `hasExecuted` when it sends the first query.
  const record: StatusRecord = { status: client.hasExecuted === true ? undefined : "I" };
  records.set(connection, record);
  // It comes before pg's own listener, which reports the result of the query.
  connection.prependListener("readyForQuery", ({ status }) => {
    record.status = status as TransactionStatus;
  });
}

/**
 * Returns the status of the client. Returns `undefined` if it is unknown, because queries have
 * run before `trackTransactionStatus` was called, and none since. The client may then be inside a
 * transaction.
 */
export function transactionStatusOf(client: Client): TransactionStatus | undefined {
  const status = client.getTransactionStatus?.() as TransactionStatus | null | undefined;
  // pg has no status yet when it grants a connection that it has just opened.
  if (status === null && client.hasExecuted !== true) return "I";
  return status ?? records.get(client.connection)?.status;
}

/** Returns whether the client is outside any transaction. Returns false if that is unknown. */
export function isOutsideTransaction(client: Client): boolean {
  return transactionStatusOf(client) === "I";
}

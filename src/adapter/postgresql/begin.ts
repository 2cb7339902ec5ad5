/** The BEGIN of a transaction, with its options. */
import { checkOptions } from "../../internal.ts";
import { isolationLevel, type IsolationLevel } from "../isolation.ts";
import { setTimeoutTo } from "./server-timeout.ts";

/**
 * The options of a transaction, as in SQL. The server's default holds for each option that is left
 * out.
 */
export interface TransactionOptions {
  isolation?: IsolationLevel;
  readOnly?: boolean;
  /** With serializable and read only: BEGIN waits for a snapshot that cannot fail. */
  deferrable?: boolean;
}

/**
 * Returns the SQL that begins a transaction. `timeout` is a server timeout in milliseconds for each
 * of its statements. The timeout ends with the transaction. BEGIN and the timeout travel in one
 * message, so the timeout costs no round trip. Throws a TypeError for unknown options.
 */
export function beginOf(options: TransactionOptions = {}, timeout?: number): string {
  checkOptions(options, "transaction", ["isolation", "readOnly", "deferrable"]);
  const { isolation, readOnly, deferrable } = options;
  const modes: string[] = [];
  if (isolation !== undefined) modes.push(isolationLevel(isolation));
  if (readOnly !== undefined) modes.push(readOnly ? "READ ONLY" : "READ WRITE");
  if (deferrable !== undefined) modes.push(deferrable ? "DEFERRABLE" : "NOT DEFERRABLE");
  const begin = ["BEGIN", modes.join(", ")].filter(Boolean).join(" ");
  return timeout === undefined ? begin : `${begin}; ${setTimeoutTo(timeout)}`;
}

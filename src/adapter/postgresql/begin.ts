/** BEGIN, with what can be said of a transaction. */
import { isolationLevel, needNoMore, type IsolationLevel } from "../isolation.ts";
import { setTimeoutTo } from "./server-timeout.ts";

/** As in SQL; what is left out is the server's default. */
export interface TransactionOptions {
  isolation?: IsolationLevel;
  readOnly?: boolean;
  /** With serializable and read only: waits for a snapshot that cannot fail. */
  deferrable?: boolean;
}

/**
 * `timeout` is the server's own limit for each of its statements, in milliseconds; it ends with the
 * transaction. One message, so it costs no round trip. Throws a TypeError for unknown options.
 */
export function beginOf(options: TransactionOptions = {}, timeout?: number): string {
  const { isolation, readOnly, deferrable, ...unknown } = options;
  needNoMore(unknown, "isolation, readOnly, deferrable");
  const modes: string[] = [];
  if (isolation !== undefined) modes.push(isolationLevel(isolation));
  if (readOnly !== undefined) modes.push(readOnly ? "READ ONLY" : "READ WRITE");
  if (deferrable !== undefined) modes.push(deferrable ? "DEFERRABLE" : "NOT DEFERRABLE");
  const begin = ["BEGIN", modes.join(", ")].filter(Boolean).join(" ");
  return timeout === undefined ? begin : `${begin}; ${setTimeoutTo(`'${timeout}'`)}`;
}

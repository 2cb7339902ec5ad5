/**
 * The internals of `pg` 8 that this adapter uses, as structural types.
 * Compared with its source: https://github.com/brianc/node-postgres/tree/master/packages
 *
 * pg has no hook for some things that this adapter must know or do. For these, the adapter replaces
 * methods of single objects, never of prototypes:
 *
 * - running-query.ts: a query's `submit`, to know when a queued query is sent. It also corks the
 *   socket, to hold back the queries behind one that is being stopped.
 * - server-timeout.ts: a query's `prepare`, `requiresPreparation` and one handler, to send one more
 *   statement with the query.
 * - bad-values.ts: a query's `prepare`, to end a query that pg before 8.22 leaves open.
 * - stream-query.ts: a query's handlers, to pause while the server holds more rows.
 * - orm/submittable.ts: `submit` and handlers of a caller's query, to know when it starts and ends.
 * - orm/cursor.ts: a cursor's `submit`, `read` and `close`, to stop single reads.
 *
 * driver.test.ts fails if pg loses one of these members. If pg keeps a member but does not call it
 * any more, the tests of the file that replaces it fail.
 */
import type { Socket } from "node:net";
import type { ConnectionOptions } from "node:tls";

import type { QueryArguments } from "./types.ts";

/** The result of a query, as pg returns it. This adapter passes it on without looking at it. */
export type Result = unknown;
export type Callback = (error: Error | null | undefined, result?: Result) => void;

/** The internals of a Pool. */
export interface Pool {
  /** Calls the callback with a client, or with an error and no client. */
  connect(callback: (error: Error, client: PoolClient | undefined) => void): void;
}

/** The internals of a Client. */
export interface Client {
  readonly processID: number | null;
  readonly secretKey: number | null;
  /** A host name, or the directory of a Unix socket. */
  readonly host: string;
  readonly port: number;
  readonly pipeline?: boolean;
  /** Whether the client is idle and its queue is empty. */
  readonly readyForQuery: boolean;
  /** True as soon as a query was sent, and absent before. */
  readonly hasExecuted?: boolean;
  readonly connection: Connection;
  query(query: Query): void;
  /** Since pg 8.21. transaction-status.ts is its only caller. */
  getTransactionStatus?(): string | null;
  end(): Promise<void>;
  on(event: "error", listener: (error: Error) => void): unknown;
  removeListener(event: "error", listener: (error: Error) => void): unknown;
}

export interface PoolClient extends Client {
  /** Returns the client to its pool. With an error or true, the pool closes the connection. */
  release(destroy?: Error | boolean): void;
}

export interface Connection {
  readonly stream: Socket;
  readonly ssl?: boolean | ConnectionOptions;
  readonly sslNegotiation?: "postgres" | "direct";
  /** Since pg 8.23. */
  readonly submittedNamedStatements?: object;
  parse(message: { text: string; name?: string; types?: unknown }): void;
  bind(message: { statement?: string; values?: readonly unknown[] }): void;
  execute(message: object): void;
  sync(): void;
  prependListener(event: "readyForQuery", listener: (message: { status: string }) => void): unknown;
  once(event: "readyForQuery", listener: (message: { status: string }) => void): unknown;
  once(event: "end", listener: () => void): unknown;
  removeListener(
    event: "readyForQuery" | "end",
    listener: (message: { status: string }) => void,
  ): unknown;
  removeListener(event: "noData", listener: () => void): unknown;
}

/** An object of pg's class Query. */
export interface Query {
  text: string;
  name?: string;
  types?: unknown;
  values?: readonly unknown[] | null;
  /** How many rows each Execute asks for. Without it, Execute asks for all. */
  rows?: number;
  callback?: Callback;
  query_timeout?: number | undefined;
  /**
   * Sends the query. The client calls it when the queries before it have ended. If it returns an
   * error, nothing was sent and the query fails with that error.
   */
  submit(connection: Connection): Error | null | undefined;
  /** Whether the query uses the extended protocol. */
  requiresPreparation(): boolean;
  /** Sends Parse (unless the name is known), Bind, Describe, Execute and, without `rows`, Sync. */
  prepare(connection: Connection): void;
  handleRowDescription(message: unknown): void;
  /** Whether rows are kept for the result. pg decides it in `handleRowDescription`. */
  _accumulateRows?: boolean;
  handleDataRow(message: { fields: readonly unknown[] }): void;
  /** The error of a type parser. pg reports it when the query ends. */
  _canceledDueToError?: unknown;
  handleCommandComplete(message: unknown, connection: Connection): void;
  handlePortalSuspended(connection: Connection): void;
  /** Refuses the COPY, because a Query has no data to send. */
  handleCopyInResponse(connection: Connection): void;
  handleError(error: Error, connection: Connection): void;
  /** Asks for the next rows. */
  _getRows(connection: Connection, rows: number): void;
  on(event: "row", listener: (row: unknown) => void): unknown;
}

export type QueryClass = new (...args: QueryArguments) => Query;

/** Returns the class of the queries that `client` creates from SQL, if it has one. */
export function queryClassOf(client: Client): QueryClass | undefined {
  const { Query } = client.constructor as { Query?: QueryClass };
  return typeof Query === "function" ? Query : undefined;
}

/** Returns whether the value is a Pool, of the JavaScript client or of pg.native. */
export function isPool(driver: unknown): driver is Pool {
  return typeof (Object(driver) as { totalCount?: unknown }).totalCount === "number";
}

/** Returns false for the client of pg.native, which has no connection that could be canceled. */
export function isJavaScriptClient(client: Client): boolean {
  return typeof (client as Partial<Client>).connection?.stream === "object";
}

/**
 * Returns whether the server reported this error. Errors of pg and of the network have no
 * `severity`.
 */
export function isServerError(error: unknown): boolean {
  return typeof (error as { severity?: unknown } | null)?.severity === "string";
}

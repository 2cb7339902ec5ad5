/**
 * The inside of `pg` 8, as far as it is used.
 * Compared with its source: https://github.com/brianc/node-postgres/tree/master/packages
 */
import type { Socket } from "node:net";
import type { ConnectionOptions } from "node:tls";

import type { QueryArguments } from "./types.ts";

/** What a query is answered with, as far as this adapter is concerned. */
export type Result = unknown;
export type Callback = (error: Error | null | undefined, result?: Result) => void;

/** The inside of a Pool. */
export interface Pool {
  /** The error is there when the client is not. */
  connect(callback: (error: Error, client: PoolClient | undefined) => void): void;
}

/** The inside of a Client. */
export interface Client {
  readonly processID: number | null;
  readonly secretKey: number | null;
  /** A host name, or the directory of a Unix socket. */
  readonly host: string;
  readonly port: number;
  readonly pipeline?: boolean;
  /** Idle, with an empty queue. */
  readonly readyForQuery: boolean;
  readonly connection: Connection;
  query(query: Query): void;
  /** "I" when idle outside any transaction, "T" inside one, "E" in an aborted one. Since pg 8.17. */
  getTransactionStatus?(): string | null;
  end(): Promise<void>;
  on(event: "error", listener: (error: Error) => void): unknown;
  removeListener(event: "error", listener: (error: Error) => void): unknown;
}

export interface PoolClient extends Client {
  /** With an error, or true, the pool lets go of the connection. */
  release(destroy?: Error | boolean): void;
}

export interface Connection {
  readonly stream: Socket;
  readonly ssl?: boolean | ConnectionOptions;
  readonly sslNegotiation?: "postgres" | "direct";
  readonly submittedNamedStatements: Record<string, string>;
  parse(message: { text: string; name?: string; types?: unknown }): void;
  bind(message: { statement?: string; values?: readonly unknown[] }): void;
  execute(message: object): void;
  sync(): void;
  on(event: "readyForQuery", listener: (message: { status: string }) => void): unknown;
  once(event: "readyForQuery", listener: (message: { status: string }) => void): unknown;
  once(event: "end", listener: () => void): unknown;
  removeListener(
    event: "readyForQuery" | "end",
    listener: (message: { status: string }) => void,
  ): unknown;
  removeListener(event: "noData", listener: () => void): unknown;
}

/** A query in the queue of a client: pg's own class, as far as it is used and overridden. */
export interface Query {
  text: string;
  name?: string;
  types?: unknown;
  values?: readonly unknown[] | null;
  /** How many rows each Execute asks for; without it, all. */
  rows?: number;
  /** "extended" uses the extended protocol for a text without values, too. */
  queryMode?: string;
  callback?: Callback;
  query_timeout?: number | undefined;
  /** Called when its turn has come; an error that it returns is the outcome, and nothing is sent. */
  submit(connection: Connection): Error | null | undefined;
  requiresPreparation(): boolean;
  hasBeenParsed(connection: Connection): unknown;
  /** Sends Parse (unless it is known by name), Bind, Describe, Execute and, without `rows`, Sync. */
  prepare(connection: Connection): void;
  handleRowDescription(message: unknown): void;
  /** Whether rows are kept for the result. Decided when they are described. */
  _accumulateRows?: boolean;
  handleDataRow(message: { fields: readonly unknown[] }): void;
  /** What a type parser has thrown; said when the query is over. */
  _canceledDueToError?: unknown;
  handleCommandComplete(message: unknown, connection: Connection): void;
  handlePortalSuspended(connection: Connection): void;
  /** Refuses: the data of a COPY comes by other ways. */
  handleCopyInResponse(connection: Connection): void;
  handleError(error: Error, connection: Connection): void;
  /** Asks for the next rows. */
  _getRows(connection: Connection, rows: number): void;
  on(event: "row", listener: (row: unknown) => void): unknown;
}

export type QueryClass = new (...args: QueryArguments) => Query;

/** The class of queries that a client makes itself when it is given text. */
export function queryClassOf(client: Client): QueryClass | undefined {
  const { Query } = client.constructor as { Query?: QueryClass };
  return typeof Query === "function" ? Query : undefined;
}

/** Whether it is pg's JavaScript client: pg.native's has no connection that could be canceled. */
export function isJavaScriptClient(client: Client): boolean {
  return typeof (client as Partial<Client>).connection?.stream === "object";
}

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
  query(text: QueryArguments[0], values: QueryArguments[1], callback: Callback): void;
  query(query: Query): void;
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
  once(event: "readyForQuery", listener: (message: { status: string }) => void): unknown;
  once(event: "end", listener: () => void): unknown;
  removeListener(
    event: "readyForQuery" | "end",
    listener: (message: { status: string }) => void,
  ): unknown;
}

/** A query in the queue of a client. */
export interface Query {
  callback?: Callback;
  query_timeout?: number | undefined;
  /** Called when its turn has come; an error that it returns is the outcome, and nothing is sent. */
  submit(connection: Connection): Error | null | undefined;
}

/** The class of queries that a client makes itself when it is given text. */
export function queryClassOf(client: Client): (new (...args: QueryArguments) => Query) | undefined {
  const { Query } = client.constructor as { Query?: new (...args: QueryArguments) => Query };
  return typeof Query === "function" ? Query : undefined;
}

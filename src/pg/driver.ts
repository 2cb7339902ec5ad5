/**
 * What is used of `pg` 8, described by types of our own: it is a peer that only its users have.
 * Compared with its source: https://github.com/brianc/node-postgres/tree/master/packages
 */
import type { Socket } from "node:net";
import type { ConnectionOptions } from "node:tls";

type AnyFunction = (...args: never) => unknown;

/** A `pg.Pool`, or anything with its public face. */
export interface PoolLike {
  connect: AnyFunction;
  query: AnyFunction;
  readonly totalCount: number;
  readonly idleCount: number;
}

/** A `pg.Client` or `pg.PoolClient`, connected by its owner. */
export interface ClientLike {
  connect: AnyFunction;
  query: AnyFunction;
  escapeIdentifier: AnyFunction;
  getTypeParser: AnyFunction;
}

/** What pg's `query` takes for an object, its undocumented options included. */
export interface QueryConfig {
  text: string;
  values?: readonly unknown[] | undefined;
  /** Makes it a prepared statement of that name, kept by the connection. */
  name?: string | undefined;
  /** "array" for rows as arrays. */
  rowMode?: string | undefined;
  types?: { getTypeParser: AnyFunction } | undefined;
  binary?: boolean | undefined;
  queryMode?: string | undefined;
  query_timeout?: number | undefined;
}

// TypeScript can take generic overloads apart, though not put them together again: so the results
// are the driver's own, whatever its version says they hold, with the rows that were asked for.
type Answers<F> = F extends {
  (...args: never): infer A;
  (...args: never): infer B;
  (...args: never): infer C;
  (...args: never): infer D;
  (...args: never): infer E;
  (...args: never): infer G;
  (...args: never): infer H;
  (...args: never): infer I;
}
  ? Awaited<A | B | C | D | E | G | H | I>
  : never;
type DriverResult<D extends { query: AnyFunction }> = Exclude<
  Extract<Answers<D["query"]>, { rows: unknown[] }>,
  { rows: unknown[][] }
>;

/** A row as the driver types it when nobody says more: with @types/pg, columns of any type. */
export type RowOf<D extends { query: AnyFunction }> = DriverResult<D>["rows"][number];

/** The driver's own result (command, rowCount, fields …) with rows of this type. */
export type ResultOf<D extends { query: AnyFunction }, Row> = Omit<DriverResult<D>, "rows"> & {
  rows: Row[];
};

/** What `query` takes after the context. */
export type QueryArguments = readonly [
  textOrConfig: string | QueryConfig,
  values?: readonly unknown[],
];

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

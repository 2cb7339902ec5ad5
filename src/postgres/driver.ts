/**
 * The internals of `postgres` 3.4 that this adapter uses.
 * Compared with the driver's source: https://github.com/porsager/postgres/tree/v3.4.9/src
 */
import type { Socket } from "node:net";
import type { ConnectionOptions } from "node:tls";

/** The internals of the `sql` that `postgres()` returned. */
export interface Pool {
  unsafe(text: string): Query;
  readonly options: PoolOptions;
  readonly CLOSE: object;
}

/** The options that were passed to `postgres()`, with their defaults. */
export interface PoolOptions {
  readonly host: readonly string[];
  readonly port: readonly number[];
  /** The path of a Unix socket. */
  readonly path?: string | false;
  readonly ssl?: false | string | true | ConnectionOptions;
  readonly sslnegotiation?: string | null;
  /** How many queries may wait on a connection behind the one that runs. */
  readonly max_pipeline?: number;
  /** Opens a connected socket, which replaces `host` and `port`. */
  readonly socket?: ((options: PoolOptions) => Socket | PromiseLike<Socket>) | undefined;
}

/** A query as the user composed it. */
export interface Query {
  readonly strings: readonly string[];
  readonly args: readonly unknown[];
  /** Sends a query: on a connection of the pool, or on that of a transaction. */
  readonly handler: (query: SentQuery) => void;
  readonly options: object;
  /** Whether it was written as a template, not with `unsafe` or `file`. */
  readonly tagged: boolean;
  /** Whether it was awaited. */
  readonly executed: boolean;
  readonly cursorFn?: unknown;
  /** What `query.cancel()` runs. Its cancel request may hit other queries. */
  canceller: unknown;
}

/** A copy of a query that is sent once. The driver reads and writes its properties. */
export interface SentQuery extends Query {
  /** Whether it is the oldest query of its connection that the server has not answered. */
  active?: boolean;
  /** The key of the connection on which it was sent. Null until then. */
  state: Backend | null;
  /** The text as it was sent. */
  string?: string;
  /** What the server made of the text. */
  statement?: { readonly columns?: readonly unknown[] | null } | null;
  resolve: (result: unknown) => void;
  reject: (error: Error) => void;
  cursorFn?: unknown;
  cursorRows?: number;
}

/** The key of a server process: a cancel request carries it. */
export interface Backend {
  readonly pid: number | null;
  readonly secret: number | null;
}

/** The result of one statement. A text with several statements has an array of these. */
export interface Result extends Array<unknown> {
  /** Null until the server says that the statement is complete. */
  readonly command?: string | null;
  readonly count?: number | null;
}

/** One place of the pool. It outlives its socket: after a close it opens a new one. */
export interface Connection {
  /** Sends a query, or queues it behind those that are running. */
  execute(query: SentQuery): unknown;
  /** Rejects the queries of the connection, and says goodbye to the server. */
  terminate(): void;
  /**
   * The driver calls it when no query is running any more. The connection returns to the pool by
   * itself if this is null, or if its `release` is not set and no transaction is open.
   */
  reserved: ((() => unknown) & { release?: boolean }) | null;
  /** The driver calls it once, when the socket has closed. */
  onclose?: ((error: Error) => void) | null;
  /** The queue of the pool that contains the connection. */
  queue: Queue;
}

export interface Queue {
  remove(connection: Connection): unknown;
  push(connection: Connection): unknown;
}

/**
 * The driver calls it with the connection while it sends a query. It returns whether the pool may
 * send more queries on that connection.
 */
export type OnExecute = (connection: Connection) => boolean;

/**
 * Returns a copy of `query` that is sent once. The user's query stays as it is, so it can be sent
 * again, and the adapter decides when its outcome is passed on. Only the `cancel()` of the user's
 * query loses its effect.
 *
 * It is a copy, not an object that inherits from `query`. Inheritance would be simpler, but it makes
 * each query a prototype and gives each copy a hidden class of its own. The driver then needed twice
 * the time for everything it does with it.
 */
export function copyQuery(
  query: Query,
  outcome: Pick<SentQuery, "resolve" | "reject">,
  overrides?: Partial<SentQuery>,
): SentQuery {
  query.canceller = null;
  const copy = Object.create(Object.getPrototypeOf(query) as object) as SentQuery;
  return Object.assign(
    copy,
    query,
    {
      state: null,
      cancelled: null,
      resolve: outcome.resolve,
      reject: outcome.reject,
      options: { ...query.options },
    },
    overrides,
  );
}

const leaseQueries = new WeakMap<Pool, Query>();

/**
 * Returns the query that a lease sends to learn which connection it got. It is empty, so it costs
 * the server next to nothing.
 */
export function leaseQueryOf(pool: Pool): Query {
  let query = leaseQueries.get(pool);
  if (query === undefined) leaseQueries.set(pool, (query = pool.unsafe("")));
  return query;
}

/**
 * The inside of `postgres` 3.4, as far as it is used.
 * Compared with its source: https://github.com/porsager/postgres/tree/master/src
 */
import type { Socket } from "node:net";
import type { ConnectionOptions } from "node:tls";

/** The inside of the `sql` that `postgres()` returned. */
export interface Pool {
  unsafe(text: string): Query;
  readonly options: PoolOptions;
  readonly CLOSE: object;
}

/** What `postgres()` was told, defaults included. */
export interface PoolOptions {
  readonly host: readonly string[];
  readonly port: readonly number[];
  /** Of a Unix socket. */
  readonly path?: string | false;
  readonly ssl?: false | string | true | ConnectionOptions;
  readonly sslnegotiation?: string | null;
  /** Opens a connected socket, in place of `host` and `port`. */
  readonly socket?: ((options: PoolOptions) => Socket | PromiseLike<Socket>) | undefined;
}

/** A query that its user has composed. */
export interface Query {
  readonly strings: readonly string[];
  readonly args: readonly unknown[];
  /** Takes the query when it is to be sent: the pool's, or that of a transaction. */
  readonly handler: (statement: Statement) => void;
  readonly options: object;
  /** From a template; neither `unsafe` nor `file`. */
  readonly tagged: boolean;
  /** Whether it was awaited. */
  readonly executed: boolean;
  readonly cursorFn?: unknown;
  /** What its `cancel` does: a request that may hit others. */
  canceller: unknown;
}

/** One sending of a query: what the driver works with. */
export interface Statement extends Query {
  /** Whether it is the first of those that the server has not answered. */
  active?: boolean;
  /** Of the connection that it was sent on. */
  state: Backend | null;
  /** As it is sent. */
  string?: string;
  /** What was parsed. */
  statement?: { readonly columns?: readonly unknown[] | null } | null;
  resolve: (result: unknown) => void;
  reject: (error: Error) => void;
  cursorFn?: unknown;
  cursorRows?: number;
}

export interface Backend {
  readonly pid: number | null;
  readonly secret: number | null;
}

/** The result of one statement; of several in one text, an array of these. */
export interface Result extends Array<unknown> {
  /** Null until the server says that the statement is complete. */
  readonly command?: string | null;
  readonly count?: number | null;
}

/** A place in the pool; it outlives its socket, and opens another. */
export interface Connection {
  /** Sends, or queues behind what is running. */
  execute(statement: Statement): unknown;
  /** Fails what is running, and says goodbye to the server. */
  terminate(): void;
  /**
   * Called when nothing runs any more. Without one, or one that does not want to be asked to
   * `release`, the connection goes back to the pool by itself.
   */
  reserved: ((() => unknown) & { release?: boolean }) | null;
  /** Called once when the socket has closed. */
  onclose?: ((error: Error) => void) | null;
  /** In which the pool keeps it. */
  queue: Queue;
}

export interface Queue {
  remove(connection: Connection): unknown;
  push(connection: Connection): unknown;
}

/** Called by the driver while it sends, with the connection. What it returns: can more be sent there? */
export type OnExecute = (connection: Connection) => boolean;

/**
 * One sending of `query`: an object of our own, so that its user's stays as it is, and the outcome is
 * ours to hold back. Only its `cancel` has no effect any more.
 *
 * A copy. To inherit from `query` is simpler, and makes of each a prototype, and of each sending a
 * hidden class: all that the driver does with it took twice as long.
 */
export function statementOf(
  query: Query,
  outcome: Pick<Statement, "resolve" | "reject">,
  more?: Partial<Statement>,
): Statement {
  query.canceller = null;
  const own = Object.create(Object.getPrototypeOf(query) as object) as Statement;
  return Object.assign(
    own,
    query,
    {
      state: null,
      cancelled: null,
      resolve: outcome.resolve,
      reject: outcome.reject,
      options: { ...query.options },
    },
    more,
  );
}

const leases = new WeakMap<Pool, Query>();

/** The query that says which connection it was sent on; it costs the server next to nothing. */
export function leaseOf(pool: Pool): Query {
  let query = leases.get(pool);
  if (query === undefined) leases.set(pool, (query = pool.unsafe("")));
  return query;
}

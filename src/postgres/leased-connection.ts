/** A connection of the driver's pool during one lease. */
import type { Duplex } from "node:stream";
import { isConnectionError } from "./connection-error.ts";
import { copyQuery, type Connection, type Pool, type Query, type SentQuery } from "./driver.ts";
import { findSocket } from "./find-socket.ts";

/**
 * A query that makes the driver forget how many rows a failed statement had sent. Otherwise the
 * next result begins with as many holes (porsager/postgres #1181). Only a CommandComplete has that
 * effect. The query costs the server next to nothing.
 */
export const RESET_ROW_COUNT = "select where false";

/** The longest time between the error of a socket and its close, in milliseconds. */
const CLOSES_WITHIN = 1_000;

/** From this number of bytes on, the driver writes at once and does not collect more. */
const WRITTEN_AT_ONCE = 1_024;

/** The last socket of each connection, or null if it is no stream of Node. */
const sockets = new WeakMap<Connection, Duplex | null>();

/** The queue of a leased connection: it is in no queue of its pool. */
const noQueue = { remove: () => undefined, push: () => undefined };
/** One error for all leases: a stack trace for each would be a good part of the cost of a query. */
const LEASE_ENDED = new Error("the connection was given back");
/** Keeps an idle connection out of its pool; see `Connection.reserved`. */
const stayIdle = Object.assign(() => undefined, { release: true });

const ignore = (): void => {
  // the outcome of the query does not matter
};

export class LeasedConnection {
  readonly pool: Pool;
  /** Resolves when the connection can be used. `undefined` if it can be used at once. Never rejects. */
  readonly ready: Promise<void> | undefined;
  readonly #connection: Connection;
  #lastQuery: SentQuery;
  /** Set when the lease has ended: the connection was given back, destroyed or closed. */
  #ended: Error | undefined;
  /** Set when the socket has failed and its close has not been reported yet. */
  #socketError: Error | undefined;

  /** Takes `connection` out of its pool, while `leaseQuery` is being sent on it. */
  constructor(pool: Pool, connection: Connection, leaseQuery: SentQuery) {
    this.pool = pool;
    this.#connection = connection;
    this.#lastQuery = leaseQuery;
    connection.queue.remove(connection);
    connection.queue = noQueue;
    connection.reserved = stayIdle;
    connection.onclose = (error) => {
      this.#ended = error;
      // The driver forgets a query that was sent after the error of its socket.
      this.#lastQuery.reject(error);
      rejectForgotten(connection);
    };
    const known = sockets.get(connection);
    if (known === undefined || known?.destroyed === true) this.ready = this.#findSocket();
  }

  /** The socket of the connection, if it is a stream of Node. */
  get socket(): Duplex | undefined {
    return sockets.get(this.#connection) ?? undefined;
  }

  /** Finds the socket with an empty query, once for each connection to the server. */
  #findSocket(): Promise<void> {
    return new Promise((resolve) => {
      const socket = findSocket(() => this.#flush(resolve));
      sockets.set(this.#connection, socket ?? null);
    });
  }

  /** Sends a query after the one before has settled. Rejects it if the connection is broken. */
  execute(query: SentQuery): void {
    const unusable = this.#ended ?? this.#socketError;
    if (unusable !== undefined) {
      query.reject(unusable);
      return;
    }
    const reject = query.reject.bind(query);
    query.reject = (error) => {
      if (isConnectionError(error)) this.#socketError = error;
      reject(error);
    };
    this.#lastQuery = query;
    this.#connection.execute(query);
  }

  /**
   * Gives the connection back at the end of the current query: when a query ends, the driver returns
   * an unreserved connection to its pool by itself. Call it while the driver resolves that query. At
   * any other time use `giveBack`.
   */
  giveBackAfterQuery(): void {
    if (this.#ended !== undefined) return;
    this.#ended = LEASE_ENDED;
    const connection = this.#connection;
    connection.reserved = null;
    connection.onclose = () => rejectForgotten(connection);
  }

  /**
   * Gives the connection back unless it was destroyed. Does not wait: the next caller gets the
   * connection after one more round trip.
   */
  giveBack(): void {
    if (this.#ended !== undefined) return;
    if (this.#socketError !== undefined) {
      this.#socketError = undefined;
      this.giveBackAfterClose();
      return;
    }
    this.giveBackAfterQuery();
    // If the connection breaks now, the pool notices that by itself.
    this.#send(this.pool.unsafe(RESET_ROW_COUNT));
  }

  /**
   * Gives the connection back after an error of the connection itself. The socket is about to close,
   * and until then nothing may be written (see `#flush` and `rejectForgotten`). If it does not
   * close in time, the socket had no error, and the connection goes back to its pool.
   */
  giveBackAfterClose(): void {
    setTimeout(() => this.giveBack(), CLOSES_WITHIN).unref();
  }

  /**
   * Closes the connection at once, whatever runs there. Its place in the pool becomes free when the
   * socket has closed. Queries that follow in this lease are rejected with an error that says `reason`.
   */
  destroy(reason = "the connection was destroyed"): void {
    if (this.#ended !== undefined) return;
    this.#ended = new Error(reason);
    this.socket?.destroy(); // first, so that nothing more is sent
    this.#flush();
    this.#connection.terminate();
  }

  /**
   * Writes what the driver has collected. It collects small messages and writes them together, a
   * little later. A message that was not written when the socket closes would precede the first
   * message of the next connection in this place, and then neither is ever sent.
   */
  #flush(onAnswer = ignore): void {
    this.#send(this.pool.unsafe(" ".repeat(WRITTEN_AT_ONCE)), onAnswer);
  }

  #send(query: Query, onAnswer = ignore): void {
    this.#connection.execute(copyQuery(query, { resolve: onAnswer, reject: onAnswer }));
  }
}

/**
 * Rejects the queries that the driver has forgotten, once the socket of `connection` has closed. A
 * query that was sent between the error of a socket and its close is neither rejected nor removed.
 * It hangs. On the next connection in this place it still waits for its answer, ahead of all other
 * queries, and those hang too (porsager/postgres #1215).
 */
function rejectForgotten(connection: Connection): void {
  connection.terminate();
}

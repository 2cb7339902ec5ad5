/**
 * The public types of `postgres` 3.4 (postgres.js), described structurally: the driver is an optional
 * peer, so its own types may be missing.
 */
import type { OnCancel, StopOptions } from "../adapter/index.ts";

type AnyFunction = (...args: never) => unknown;

/** The `sql` that `postgres()` returned. */
export interface SqlLike {
  (...args: never): unknown;
  unsafe: AnyFunction;
  reserve: AnyFunction;
  end: AnyFunction;
  readonly options: object;
}

/**
 * A query that postgres.js has not sent yet, because it was not awaited: sql`…` or
 * `sql.unsafe(…)`, also with `.values()`, `.raw()` or `.simple()`.
 */
export interface PendingQuery<Result> extends PromiseLike<Result> {
  execute(): unknown;
  simple(): unknown;
}

/** The result of sql`…`.describe(). */
export interface QueryDescription {
  string: string;
  columns: readonly unknown[];
}

/** Options of `stream`. */
export interface StreamOptions {
  /** How many rows are fetched at a time. Default: 100. */
  rows?: number | undefined;
}

/** Options of `withContext`. */
export interface WithContextOptions extends StopOptions {
  /**
   * What happens to a connection after a query on it was canceled.
   *
   * - "auto", the default, uses it again if the server has proved that it consumed the cancel request:
   *   exactly one was sent, the query failed with the error of a cancel request, and no second signal
   *   of PostgreSQL before 18 can follow. It also does so if the query ended before one was sent.
   *   Otherwise the connection is closed, and nothing more is sent there, because a pooler in between
   *   may deliver the request late.
   * - "reuse" uses it again. Choose it only if nothing stands between this process and the server, or
   *   a pooler for which docs/poolers.md allows it.
   * - "destroy" closes it.
   *
   * docs/poolers.md says which one each connection pooler needs.
   */
  onCancel?: OnCancel;
  /**
   * How long the server may take to stop a query, in milliseconds. After that the connection is
   * destroyed, the caller gets `ctx.err()`, and the receipt says "abandoned". Default: 2000.
   */
  stopTimeout?: number;
  /**
   * Whether the server enforces deadlines too, in case this process or its network has failed by
   * then. If true, and the context of a `transaction` has a deadline, its statements get a
   * `statement_timeout` of the remaining time plus the stop timeout. The setting is sent with BEGIN
   * and ends with the transaction. Single queries get none, because the driver cannot send one with
   * a query. First consider PostgreSQL's `client_connection_check_interval`.
   * Default: false.
   */
  serverTimeout?: boolean;
}

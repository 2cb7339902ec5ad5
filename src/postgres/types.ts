/**
 * The public face of `postgres` 3.4 (postgres.js), in structural types of our own: it is a peer that
 * only its users have.
 */

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
 * A query that postgres.js has not sent yet, because nobody has awaited it: sql`…` or
 * `sql.unsafe(…)`, with `.values()`, `.raw()` or `.simple()` if you like.
 */
export interface PendingQuery<Result> extends PromiseLike<Result> {
  execute(): unknown;
  simple(): unknown;
}

/** What sql`…`.describe() resolves with. */
export interface Described {
  string: string;
  columns: readonly unknown[];
}

export interface StreamOptions {
  /** How many rows are fetched at a time, 100 by default. */
  rows?: number | undefined;
}

/**
 * The public face of `pg` 8, in structural types of our own: it is a peer that only its users
 * have. Nothing here names Node's types, which they need not have either.
 */

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

/** A query for `stream`. */
export interface StreamConfig extends QueryConfig {
  /** How many rows are fetched at a time, 100 by default. */
  rows?: number | undefined;
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

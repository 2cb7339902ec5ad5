/**
 * The public types of `pg` 8, described structurally. `pg` is an optional peer dependency, so nothing
 * here imports it. Nothing here names Node's types, which users need not have installed either.
 */

type AnyFunction = (...args: never) => unknown;

/** A `pg.Pool`, or an object with the same public members. */
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

/** The config object of pg's `query`, including its undocumented options. */
export interface QueryConfig {
  text: string;
  values?: readonly unknown[] | undefined;
  /** The name of a prepared statement, which the connection keeps. */
  name?: string | undefined;
  /** "array" returns rows as arrays. */
  rowMode?: string | undefined;
  types?: { getTypeParser: AnyFunction } | undefined;
  binary?: boolean | undefined;
  queryMode?: string | undefined;
  query_timeout?: number | undefined;
}

/** The config object of `stream`. */
export interface StreamConfig extends QueryConfig {
  /** How many rows are fetched at a time, 100 by default. */
  rows?: number | undefined;
}

// The result type is taken from the driver's own overloads of `query`, whatever its version. Only the
// type of the rows is replaced: TypeScript can infer from generic overloads, but not rebuild them.
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

/**
 * The driver's type of a row if the caller names none. In @types/pg, the columns of this type are
 * `any`.
 */
export type RowOf<D extends { query: AnyFunction }> = DriverResult<D>["rows"][number];

/** The driver's own result (command, rowCount, fields, …) with rows of type `Row`. */
export type ResultOf<D extends { query: AnyFunction }, Row> = Omit<DriverResult<D>, "rows"> & {
  rows: Row[];
};

/** The arguments of `query` after the context. */
export type QueryArguments = readonly [
  textOrConfig: string | QueryConfig,
  values?: readonly unknown[],
];

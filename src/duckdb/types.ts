/** The parts of `@duckdb/node-api` that the adapter uses, as structural types: the package is a peer. */
import type { Context } from "../index.ts";

type AnyFunction = (...args: never[]) => unknown;
type ReadMethod = (sql: string, ...rest: never[]) => Promise<unknown>;

/** The members of a `DuckDBConnection` that the adapter uses. */
export interface ConnectionLike {
  run: ReadMethod;
  runAndRead: ReadMethod;
  runAndReadAll: ReadMethod;
  runAndReadUntil: ReadMethod;
  stream: (sql: string, ...rest: never[]) => Promise<ResultLike>;
  prepare(sql: string): Promise<PreparedLike>;
  interrupt(): void;
  closeSync(): void;
}

/** The member of a `DuckDBInstance` that the adapter uses. */
export interface InstanceLike<C extends ConnectionLike> {
  connect(): Promise<C>;
}

type Batches = () => AsyncIterableIterator<readonly unknown[]>;

/** The members of a `DuckDBResult` that the adapter uses. */
export interface ResultLike extends AsyncIterable<unknown> {
  yieldRows: Batches;
  yieldRowObjects: Batches;
  yieldRowsJs: Batches;
  yieldRowsJson: Batches;
  yieldRowObjectJs: Batches;
  yieldRowObjectJson: Batches;
}

/** The members of a `DuckDBPreparedStatement` that the adapter uses. */
export interface PreparedLike {
  bind: AnyFunction;
  clearBindings(): void;
  run(): Promise<unknown>;
  runAndRead(): Promise<unknown>;
  runAndReadAll(): Promise<unknown>;
  runAndReadUntil(targetRowCount: number): Promise<unknown>;
  stream(): Promise<ResultLike>;
}

/** The driver's class for prepared statements. */
export type PreparedOf<C extends ConnectionLike> = Awaited<ReturnType<C["prepare"]>>;
/** The driver's class for the result of a stream. */
export type ResultOf<C extends ConnectionLike> = Awaited<ReturnType<C["stream"]>>;

/** A method of the driver with the context first. Takes a prepared statement instead of SQL too. */
export type ContextMethod<C extends ConnectionLike, F extends ReadMethod> =
  Parameters<F> extends [sql: string, ...rest: infer Rest]
    ? (ctx: Context, sql: string | PreparedOf<C>, ...rest: Rest) => ReturnType<F>
    : never;

type RowMethod = Exclude<keyof ResultLike, typeof Symbol.asyncIterator>;

/** A query for `stream` whose rows are not read as objects of JavaScript values. */
export interface StreamConfig<
  C extends ConnectionLike,
  M extends RowMethod | "chunks" = RowMethod | "chunks",
> {
  sql: string | PreparedOf<C>;
  /** The driver's method that makes the rows, or "chunks" for the driver's chunks, unchanged. */
  read?: M;
}

type ItemOf<T> = T extends AsyncIterable<infer Item> ? Item : never;
type RowOf<T> = T extends AsyncIterable<readonly (infer Row)[]> ? Row : never;
type ValuesOf<C extends ConnectionLike> =
  Parameters<C["stream"]> extends [sql: string, ...rest: infer Rest] ? Rest : never;

/** The method `stream`. */
export interface ContextStream<C extends ConnectionLike> {
  <M extends RowMethod | "chunks">(
    ctx: Context,
    config: StreamConfig<C, M> & { read: M },
    ...values: ValuesOf<C>
  ): AsyncGenerator<
    M extends RowMethod ? RowOf<ReturnType<ResultOf<C>[M]>> : ItemOf<ResultOf<C>>,
    void,
    undefined
  >;
  (
    ctx: Context,
    sql: string | PreparedOf<C>,
    ...values: ValuesOf<C>
  ): AsyncGenerator<RowOf<ReturnType<ResultOf<C>["yieldRowObjectJs"]>>, void, undefined>;
}

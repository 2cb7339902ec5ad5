/** The public face of `@duckdb/node-api`, in structural types of our own: it is a peer. */
import type { Context } from "../index.ts";

type AnyFunction = (...args: never[]) => unknown;
type Read = (sql: string, ...rest: never[]) => Promise<unknown>;

/** What is needed of a `DuckDBConnection`. */
export interface ConnectionLike {
  run: Read;
  runAndRead: Read;
  runAndReadAll: Read;
  runAndReadUntil: Read;
  stream: (sql: string, ...rest: never[]) => Promise<ResultLike>;
  prepare(sql: string): Promise<PreparedLike>;
  interrupt(): void;
  closeSync(): void;
}

/** What is needed of a `DuckDBInstance`. */
export interface InstanceLike<C extends ConnectionLike> {
  connect(): Promise<C>;
}

type Batches = () => AsyncIterableIterator<readonly unknown[]>;

/** What is needed of a `DuckDBResult`. */
export interface ResultLike extends AsyncIterable<unknown> {
  yieldRows: Batches;
  yieldRowObjects: Batches;
  yieldRowsJs: Batches;
  yieldRowsJson: Batches;
  yieldRowObjectJs: Batches;
  yieldRowObjectJson: Batches;
}

/** What is needed of a `DuckDBPreparedStatement`. */
export interface PreparedLike {
  bind: AnyFunction;
  clearBindings(): void;
  run(): Promise<unknown>;
  runAndRead(): Promise<unknown>;
  runAndReadAll(): Promise<unknown>;
  runAndReadUntil(targetRowCount: number): Promise<unknown>;
  stream(): Promise<ResultLike>;
}

export type PreparedOf<C extends ConnectionLike> = Awaited<ReturnType<C["prepare"]>>;
export type ResultOf<C extends ConnectionLike> = Awaited<ReturnType<C["stream"]>>;

/** A method of the driver, with the context first; instead of SQL it takes what was prepared. */
export type CtxFirst<C extends ConnectionLike, F extends Read> =
  Parameters<F> extends [sql: string, ...rest: infer Rest]
    ? (ctx: Context, sql: string | PreparedOf<C>, ...rest: Rest) => ReturnType<F>
    : never;

type Reads = Exclude<keyof ResultLike, typeof Symbol.asyncIterator>;

/** A query whose rows are to be read in some other way than as objects of JavaScript values. */
export interface StreamConfig<
  C extends ConnectionLike,
  M extends Reads | "chunks" = Reads | "chunks",
> {
  sql: string | PreparedOf<C>;
  /** The driver's method that makes rows, or "chunks" for its chunks as they are. */
  read?: M;
}

type Items<T> = T extends AsyncIterable<infer I> ? I : never;
type Rows<T> = T extends AsyncIterable<readonly (infer R)[]> ? R : never;
type Values<C extends ConnectionLike> =
  Parameters<C["stream"]> extends [sql: string, ...rest: infer Rest] ? Rest : never;

export interface StreamOf<C extends ConnectionLike> {
  <M extends Reads | "chunks">(
    ctx: Context,
    config: StreamConfig<C, M> & { read: M },
    ...values: Values<C>
  ): AsyncGenerator<
    M extends Reads ? Rows<ReturnType<ResultOf<C>[M]>> : Items<ResultOf<C>>,
    void,
    undefined
  >;
  (
    ctx: Context,
    sql: string | PreparedOf<C>,
    ...values: Values<C>
  ): AsyncGenerator<Rows<ReturnType<ResultOf<C>["yieldRowObjectJs"]>>, void, undefined>;
}

/**
 * The public types of `mongodb` 7, described structurally: the driver is an optional peer, so its own
 * types may be missing.
 */
import type { Context } from "../index.ts";
import type { OPTIONS_POSITION } from "./methods.ts";

type AnyFunction = (...args: never) => unknown;
type CallMethod = keyof typeof OPTIONS_POSITION;

/** A `Collection` of `mongodb`. */
export type CollectionLike = Record<CallMethod | "find" | "aggregate", AnyFunction> & {
  readonly collectionName: string;
  readonly dbName: string;
};

/** A `Db` of `mongodb`. */
export interface DbLike {
  readonly databaseName: string;
  command: AnyFunction;
  aggregate: AnyFunction;
}

// TypeScript matches overloads backwards, from the last one. None of the methods that this type is
// used for is generic, so the result has exactly their overloads.
type CtxFirst<F> = F extends {
  (...args: infer A): infer R;
  (...args: infer B): infer S;
  (...args: infer C): infer T;
  (...args: infer D): infer U;
  (...args: infer E): infer V;
}
  ? With<A, R> & With<B, S> & With<C, T> & With<D, U> & With<E, V>
  : F extends {
        (...args: infer B): infer S;
        (...args: infer C): infer T;
        (...args: infer D): infer U;
        (...args: infer E): infer V;
      }
    ? With<B, S> & With<C, T> & With<D, U> & With<E, V>
    : F extends (...args: infer E) => infer V
      ? With<E, V>
      : never;
type With<Args extends unknown[], Result> = (ctx: Context, ...args: Args) => Result;

/** A document as `find` returns it, with its `_id`. */
export type DocumentOf<C extends CollectionLike> = C["find"] extends {
  (...args: never): infer FindCursor;
  (...args: never[]): unknown;
  (...args: never): unknown;
}
  ? FindCursor extends { next(): Promise<infer D | null> }
    ? D
    : never
  : never;

type FilterOf<C extends CollectionLike> = Parameters<C["deleteMany"]>[0];
type ElementOf<T> = T extends readonly (infer E)[] ? E : T;

/** The documents that a query finds, in order. Read them once: in a loop or with `toArray`. */
export interface ContextCursor<T> extends AsyncIterable<T> {
  /** Reads all documents. */
  toArray(): Promise<T[]>;
}

/** The methods of a `Collection`, with a context as their first parameter. */
export type ContextCollection<C extends CollectionLike> = {
  [M in Exclude<CallMethod, "findOne" | "distinct">]: CtxFirst<C[M]>;
} & {
  findOne<T = DocumentOf<C>>(
    ctx: Context,
    filter?: FilterOf<C>,
    options?: Parameters<C["findOne"]>[1],
  ): Promise<T | null>;
  /**
   * Returns the documents that match `filter`. Sort, limit, skip and projection are options. The
   * query is sent when the first document is read.
   */
  find<T = DocumentOf<C>>(
    ctx: Context,
    filter?: FilterOf<C>,
    options?: Parameters<C["find"]>[1],
  ): ContextCursor<T>;
  aggregate<T = Record<string, unknown>>(
    ctx: Context,
    pipeline: Parameters<C["aggregate"]>[0],
    options?: Parameters<C["aggregate"]>[1],
  ): ContextCursor<T>;
  distinct<K extends string>(
    ctx: Context,
    key: K,
    filter?: FilterOf<C>,
    options?: Parameters<C["distinct"]>[2],
  ): Promise<(K extends keyof DocumentOf<C> ? ElementOf<DocumentOf<C>[K]> : unknown)[]>;
};

/** The methods of a `Db`, with a context as their first parameter. */
export interface ContextDb<D extends DbLike> {
  command(
    ctx: Context,
    command: Parameters<D["command"]>[0],
    options?: Parameters<D["command"]>[1],
  ): ReturnType<D["command"]>;
  aggregate<T = Record<string, unknown>>(
    ctx: Context,
    pipeline: Parameters<D["aggregate"]>[0],
    options?: Parameters<D["aggregate"]>[1],
  ): ContextCursor<T>;
}

/**
 * The public face of `mongodb` 7, in structural types of our own: it is a peer that only its users
 * have.
 */
import type { Context } from "../index.ts";

type AnyFunction = (...args: never) => unknown;

/** Where the options stand among the driver's arguments of each method that answers once. */
export const CALLS = {
  insertOne: 1,
  insertMany: 1,
  bulkWrite: 1,
  updateOne: 2,
  updateMany: 2,
  replaceOne: 2,
  deleteOne: 1,
  deleteMany: 1,
  findOneAndUpdate: 2,
  findOneAndReplace: 2,
  findOneAndDelete: 1,
  countDocuments: 1,
  estimatedDocumentCount: 0,
  findOne: 1,
  distinct: 2,
} as const;

/** A `Collection` of `mongodb`. */
export type CollectionLike = Record<keyof typeof CALLS | "find" | "aggregate", AnyFunction> & {
  readonly collectionName: string;
  readonly dbName: string;
};

/** A `Db` of `mongodb`. */
export interface DbLike {
  readonly databaseName: string;
  command: AnyFunction;
  aggregate: AnyFunction;
}

// TypeScript takes overloads apart from the last one backwards. None of the methods that this is
// used for is generic, so that what is put together again is what was there.
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

/** A document as `find` gives it: with its `_id`. */
export type DocumentOf<C extends CollectionLike> = C["find"] extends {
  (...args: never): infer ContextCursor;
  (...args: never[]): unknown;
  (...args: never): unknown;
}
  ? ContextCursor extends { next(): Promise<infer D | null> }
    ? D
    : never
  : never;

type FilterOf<C extends CollectionLike> = Parameters<C["deleteMany"]>[0];
type ElementOf<T> = T extends readonly (infer E)[] ? E : T;

/** What a query finds, in the order in which it is found. */
export interface Cursor<T> extends AsyncIterable<T> {
  /** All of it. Once, and not after an iteration. */
  toArray(): Promise<T[]>;
}

/** A `Collection` with the context first. */
export type ContextCollection<C extends CollectionLike> = {
  [M in Exclude<keyof typeof CALLS, "findOne" | "distinct">]: CtxFirst<C[M]>;
} & {
  findOne<T = DocumentOf<C>>(
    ctx: Context,
    filter?: FilterOf<C>,
    options?: Parameters<C["findOne"]>[1],
  ): Promise<T | null>;
  /** Sort, limit, skip and projection are options; the query is sent when the first is asked for. */
  find<T = DocumentOf<C>>(
    ctx: Context,
    filter?: FilterOf<C>,
    options?: Parameters<C["find"]>[1],
  ): Cursor<T>;
  aggregate<T = Record<string, unknown>>(
    ctx: Context,
    pipeline: Parameters<C["aggregate"]>[0],
    options?: Parameters<C["aggregate"]>[1],
  ): Cursor<T>;
  distinct<K extends string>(
    ctx: Context,
    key: K,
    filter?: FilterOf<C>,
    options?: Parameters<C["distinct"]>[2],
  ): Promise<(K extends keyof DocumentOf<C> ? ElementOf<DocumentOf<C>[K]> : unknown)[]>;
};

/** A `Db` with the context first. */
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
  ): Cursor<T>;
}

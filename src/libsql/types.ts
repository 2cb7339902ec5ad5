/** The parts of `libsql/promise` that the adapter uses, as structural types: the package is a peer. */

/** The members of a `Database` of `libsql/promise` that the adapter uses. */
export interface DatabaseLike {
  prepare(sql: string): PromiseLike<StatementLike>;
  interrupt(): void;
  close(): void;
  /** The driver has it, but its types do not. */
  readonly inTransaction?: boolean;
}

/** The member of the driver's prepared statements that the adapter uses. */
export interface StatementLike {
  iterate(params: unknown): PromiseLike<Iterable<unknown>>;
}

/** A value that the driver can bind. It cannot bind booleans. */
export type Parameter = null | number | bigint | string | Uint8Array;

/** Positional parameters, or one object of named parameters. */
export type Parameters = readonly Parameter[] | readonly [Readonly<Record<string, Parameter>>];

/**
 * A value that the driver returns. Integers are numbers, or bigints after the driver's
 * `defaultSafeIntegers()`.
 */
export type Value = null | number | bigint | string | ArrayBuffer;
export type Row = Record<string, Value>;

/**
 * The public face of `mariadb` 3, in structural types of our own: it is a peer that only its users
 * have.
 */

type AnyFunction = (...args: never) => unknown;

/** A pool or a connection of `mariadb`. */
export interface DriverLike {
  query: AnyFunction;
  execute: AnyFunction;
  batch: AnyFunction;
  escapeId: AnyFunction;
}

/** The driver's own: `sql`, or its options with `sql` among them. */
export type SqlOf<F> = F extends (sql: infer S, ...values: never) => unknown ? S : never;

/** What became of a statement that changes rows. */
export interface UpsertResult {
  affectedRows: number;
  insertId: number | bigint;
  warningStatus: number;
}

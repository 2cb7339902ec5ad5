/**
 * The public face of `mysql2` 3, in structural types of our own: it is a peer that only its users
 * have. The results are the driver's own, whatever its version says they hold.
 */

type AnyFunction = (...args: never) => unknown;

/** A pool or a connection of `mysql2/promise` or `mysql2`. */
export interface DriverLike {
  query: AnyFunction;
  execute: AnyFunction;
  escapeId: AnyFunction;
}

/** Of the last overload: options, values and, without promises, a callback. */
type Last<F> = F extends (...args: infer A) => infer R ? { takes: A; returns: R } : never;

type Answers<L> = L extends { returns: PromiseLike<infer A extends [unknown, unknown]> }
  ? A
  : L extends { takes: [unknown, unknown, (infer C)?] }
    ? C extends (error: never, result: infer T, fields: infer F) => unknown
      ? [T, F]
      : never
    : never;

/** What its methods resolve with: rows or what became of a statement, and fields. */
export type AnswerOf<F, T> = [result: T, fields: Answers<Last<F>>[1]];

/** What the first of these can be: rows of `RowDataPacket`, a `ResultSetHeader`, … */
export type ResultOf<F> = Answers<Last<F>>[0];

/** The driver's own options, `sql` among them. */
export type OptionsOf<F> = Last<F> extends { takes: [infer O, ...unknown[]] } ? O : never;

export type ValuesOf<F> =
  Last<F> extends { takes: [unknown, (infer V)?, ...unknown[]] } ? V : never;

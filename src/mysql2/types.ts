/**
 * The public types of the adapter. Those of `mysql2` 3 are described structurally, because only the
 * users of this entry point have the package installed. Results keep the driver's own types.
 */
import type { DatabaseOf } from "../adapter/mysql/types.ts";
import type { Context } from "../index.ts";

type AnyFunction = (...args: never) => unknown;

/** A pool or a connection of `mysql2/promise` or `mysql2`. */
export interface DriverLike {
  query: AnyFunction;
  execute: AnyFunction;
  escapeId: AnyFunction;
}

/** The last overload of a method. It takes options, values and, without promises, a callback. */
type LastOverload<F> = F extends (...args: infer A) => infer R ? { takes: A; returns: R } : never;

type Answers<L> = L extends { returns: PromiseLike<infer A extends [unknown, unknown]> }
  ? A
  : L extends { takes: [unknown, unknown, (infer C)?] }
    ? C extends (error: never, result: infer T, fields: infer F) => unknown
      ? [T, F]
      : never
    : never;

/** What a method resolves with: the rows or the result header, and the fields. */
export type AnswerOf<F, T> = [result: T, fields: Answers<LastOverload<F>>[1]];

/** The possible types of the first part of an answer, such as `RowDataPacket[]` or `ResultSetHeader`. */
export type ResultOf<F> = Answers<LastOverload<F>>[0];

/** The driver's own options object, which includes `sql`. */
export type OptionsOf<F> = LastOverload<F> extends { takes: [infer O, ...unknown[]] } ? O : never;

/** The driver's own type for the values of the placeholders. */
export type ValuesOf<F> =
  LastOverload<F> extends { takes: [unknown, (infer V)?, ...unknown[]] } ? V : never;

/** The driver's own methods, each with a context first. */
export interface ContextQueries<D extends DriverLike> {
  /**
   * Runs the driver's own `query` under a context. Always returns a promise.
   *
   * When `ctx` ends, the server is told to stop the statement (KILL QUERY). The promise settles when
   * the statement has stopped: with `ctx.err()`, or with the result if the statement was faster than
   * the KILL. Once the KILL was sent, rows are no result any more, because the KILL can change them:
   * MySQL's SLEEP() then returns 1, and MariaDB's information_schema too few rows. The promise then
   * rejects with `ctx.err()`. A success without rows is still reported, and so are the rows of INSERT …
   * RETURNING, because the statement has had its effect. DO has no effect, so its success is dropped.
   *
   * The promise also rejects with `ctx.err()` if the statement fails with a general error (SQLSTATE
   * HY000 or 02000) after the KILL was sent. It rejects with the driver's own error in every other
   * case, such as an interruption by `max_statement_time`. If `ctx` is done already, no connection is
   * taken. If the driver's option `timeout` expires, the statement is stopped as well.
   *
   * On a pool, the call waits for a connection, and leaves the queue at once when `ctx` ends. The
   * connection is returned afterwards. A transaction that the statement left open is rolled back.
   *
   * On a connection, all operations through this object run one at a time. Do not call the
   * connection's own methods while an operation may be canceled: a KILL QUERY ends whatever runs
   * there. A canceled statement leaves a transaction open, and the caller decides about it.
   */
  query<T extends ResultOf<D["query"]> = ResultOf<D["query"]>>(
    ctx: Context,
    sqlOrOptions: string | OptionsOf<D["query"]>,
    values?: ValuesOf<D["query"]>,
  ): Promise<AnswerOf<D["query"], T>>;

  /** Runs the driver's own `execute`, which prepares statements. Otherwise the same as `query`. */
  execute<T extends ResultOf<D["execute"]> = ResultOf<D["execute"]>>(
    ctx: Context,
    sqlOrOptions: string | OptionsOf<D["execute"]>,
    values?: ValuesOf<D["execute"]>,
  ): Promise<AnswerOf<D["execute"], T>>;

  /**
   * Reads the rows of a query while they arrive, without holding all of them in memory.
   *
   * The query is sent when the loop asks for the first row. It stops, on the server too, when the
   * loop is left in any way, and when `ctx` ends: then the loop throws `ctx.err()`. Until then the
   * stream has a connection to itself. A loop that is neither finished nor left, under a context
   * that never ends, keeps the connection.
   *
   * @example
   * for await (const order of db.stream<Order>(ctx, "select * from orders")) send(order);
   */
  stream<Row = Record<string, unknown>>(
    ctx: Context,
    sqlOrOptions: string | OptionsOf<D["query"]>,
    values?: ValuesOf<D["query"]>,
  ): AsyncGenerator<Row, void, undefined>;
}

/** What `withContext` returns: queries, transactions and connections, each with a context first. */
export type ContextDatabase<D extends DriverLike> = DatabaseOf<ContextQueries<D>>;

/**
 * SQLite queries that stop when their context does: `withContext` over a `Database` of
 * `libsql/promise`.
 *
 * The driver's `get` and `run` compute on the event loop, and while its `exec` runs, the interrupt
 * itself would block the event loop. All that they do can be done with `all`: `INSERT … RETURNING`,
 * `BEGIN`, `COMMIT`.
 *
 * @packageDocumentation
 */
import type { Context } from "../index.ts";
import { sessionMethods } from "../adapter/sessions.ts";
import { handleOf, query } from "./handle.ts";
import { sessionsOf, type TransactionOptions } from "./session.ts";

export type { TransactionOptions } from "./session.ts";

/** What is needed of a `Database` of `libsql/promise`. */
export interface DatabaseLike {
  prepare(sql: string): PromiseLike<StatementLike>;
  interrupt(): void;
  close(): void;
  /** Not among the driver's types. */
  readonly inTransaction?: boolean;
}

/** What is needed of its prepared statements. */
export interface StatementLike {
  iterate(params: unknown): PromiseLike<Iterable<unknown>>;
}

/** What the driver can bind. It has no booleans. */
export type Parameter = null | number | bigint | string | Uint8Array;

/** Positional ones, or one object of named ones. */
export type Parameters = readonly Parameter[] | readonly [Readonly<Record<string, Parameter>>];

/** As the driver gives them: integers are numbers, or bigints after its `defaultSafeIntegers()`. */
export type Value = null | number | bigint | string | ArrayBuffer;
export type Row = Record<string, Value>;

/** Statements, as a transaction has them, too. */
export interface ContextQueries {
  /**
   * Runs one statement and returns its rows. Parameters are positional, or one object for named
   * ones.
   *
   * Rejects with `ctx.err()` when `ctx` is done: at once while it waits for its turn, and otherwise
   * when the engine has really stopped. A result that beats the stop is returned, and every other
   * error is the driver's own. An engine that ignores its interrupts for two seconds, as it does
   * while it waits for another process's lock, is waited for no longer; the database is not used
   * again until it has let go.
   *
   * What comes before the first row is computed on the engine's thread; the rows are fetched on the
   * event loop, a hundred at a time, and it gets its turn between them. So a query whose *rows* are
   * expensive is best written `WITH q AS MATERIALIZED (…) SELECT * FROM q`.
   */
  all(ctx: Context, sql: string, ...params: Parameters): Promise<Row[]>;

  /**
   * As `all`, a row at a time, without ever holding all of them:
   *
   *     for await (const order of db.stream(ctx, "SELECT * FROM orders WHERE day = ?", day)) …
   *
   * Nothing is done before the loop asks for the first. From then on it has the database to itself,
   * until it ends or is left, or `ctx` is done: then the loop throws `ctx.err()`. What a statement
   * has changed (`… RETURNING`) stays changed when its loop is left, and its other rows are fetched
   * for that.
   */
  stream(ctx: Context, sql: string, ...params: Parameters): AsyncGenerator<Row, void, undefined>;
}

/** What runs inside a transaction. Good until the function that was given it is over. */
export interface ContextTransaction extends ContextQueries {
  /**
   * Runs `fn` in a savepoint: what it did is undone if it throws, and the transaction around it
   * goes on. Meanwhile only the inner `tx` can be used.
   */
  transaction<T>(
    ctx: Context,
    fn: (tx: ContextTransaction) => T | PromiseLike<T>,
  ): Promise<Awaited<T>>;
}

/** What can begin a transaction. */
export interface ContextTransactional extends ContextQueries {
  /**
   * Begins a transaction, runs `fn`, and commits; returns what `fn` does. Rolls back when `fn`
   * throws, and when `ctx` ends before the COMMIT, which is not interrupted: then the statement
   * that is running is stopped, and the promise rejects with `ctx.err()` when all is over.
   *
   * Statements that `fn` did not await are over before the COMMIT, and stopped before a ROLLBACK.
   * SQLite ends the whole transaction when a write is stopped; if `fn` swallows that, what it does
   * next, and the promise, reject with an error of `code` "ERR_NOTHING_COMMITTED".
   *
   * Everybody else on this `Database` waits meanwhile; on another one they see nothing of it.
   */
  transaction<T>(
    ctx: Context,
    fn: (tx: ContextTransaction) => T | PromiseLike<T>,
    options?: TransactionOptions,
  ): Promise<Awaited<T>>;
}

/** A `Database` with the context first. */
export interface ContextDatabase extends ContextTransactional {
  /**
   * Runs `fn` with the database to itself; everybody else waits. Afterwards what is still running
   * there is awaited, or stopped if `fn` has thrown, and an open transaction is rolled back.
   */
  connection<T>(
    ctx: Context,
    fn: (db: ContextTransactional) => T | PromiseLike<T>,
  ): Promise<Awaited<T>>;
}

/**
 * Adds the context. One operation runs at a time and the others wait in order. Use the database
 * through this object alone: an interrupt hits all that it is doing, an iterator of the driver that
 * was not read to its end keeps an interrupt in force for everybody, and a statement of the driver
 * that is collected meanwhile blocks the event loop. For more at once, and for transactions of which
 * others must see nothing, open another `Database`.
 *
 * A thousand prepared statements are kept, so pass values as parameters and not in the text.
 *
 * An operation that is stopped inside a transaction ends it: it is rolled back, as SQLite does by
 * itself for writes, so that a later COMMIT fails ("no transaction is active"). The database stays
 * the caller's to close; its `close()` waits for an operation that is still in flight.
 */
export function withContext(db: DatabaseLike): ContextDatabase {
  if (typeof (Object(db) as Partial<DatabaseLike>).interrupt !== "function") {
    throw new TypeError("withContext takes a Database of libsql/promise");
  }
  const handle = handleOf(db);
  return {
    all: (ctx, sql, ...params) => query(ctx, handle, sql, params),
    ...(sessionMethods(sessionsOf(handle)) as unknown as Omit<ContextDatabase, "all">), // typed above
  };
}

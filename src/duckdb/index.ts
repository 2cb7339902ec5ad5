/**
 * DuckDB queries that stop when their context does: `withContext` over a connection or an instance
 * of `@duckdb/node-api`, with the driver's own method names and results.
 *
 * @packageDocumentation
 */
import { sessionMethods } from "../adapter/sessions.ts";
import type { Context } from "../index.ts";
import { perCall, shared, type Engine } from "./engine.ts";
import { sessionsOf } from "./session.ts";
import { statementsOf } from "./statements.ts";
import type { ConnectionLike, CtxFirst, InstanceLike, PreparedOf, StreamOf } from "./types.ts";

export type { ConnectionLike, InstanceLike, StreamConfig } from "./types.ts";

/**
 * The driver's methods that run SQL and read its result, with the context first.
 *
 * Each rejects with `ctx.err()` when `ctx` is done: at once while it waits for its turn, and
 * otherwise when the engine has really stopped. A result that beats the stop is returned, and
 * every other error is the driver's own. An engine that ignores its interrupts for two seconds is
 * waited for no longer; its connection is not used again until it has let go.
 */
export interface ContextQueries<C extends ConnectionLike> {
  run: CtxFirst<C, C["run"]>;
  runAndRead: CtxFirst<C, C["runAndRead"]>;
  runAndReadAll: CtxFirst<C, C["runAndReadAll"]>;
  runAndReadUntil: CtxFirst<C, C["runAndReadUntil"]>;

  /**
   * Reads rows as they come, without ever holding all of them:
   *
   *     for await (const order of db.stream(ctx, "FROM orders WHERE day = $1", [day])) …
   *     for await (const chunk of db.stream(ctx, { sql: "FROM orders", read: "chunks" })) …
   *
   * Nothing is done before the loop asks for the first. From then on it has its connection to
   * itself, until it ends or is left, or `ctx` is done: then the loop throws `ctx.err()`.
   *
   * It runs in a transaction of its own, unless there is one, because a stream of the driver's that
   * fails in the middle is indistinguishable from one that has ended. Here it throws, though the
   * engine's own words are lost. For the same reason the driver's `streamAndRead…` are not offered:
   * use `runAndRead…`. Nor are its `start…`, which compute on the event loop.
   */
  stream: StreamOf<C>;
}

/** Statements on one connection, such as a transaction's. */
export interface ContextTransaction<C extends ConnectionLike> extends ContextQueries<C> {
  /**
   * Prepares a statement, which all of these take instead of SQL, on this connection; its values
   * are bound in the turn in which it runs. It is the driver's: `destroySync()` it when it is not
   * in use, or leave it to the end of the connection.
   */
  prepare(ctx: Context, sql: string): Promise<PreparedOf<C>>;
}

/** What can begin a transaction. */
export interface ContextTransactional<C extends ConnectionLike> extends ContextTransaction<C> {
  /**
   * Begins a transaction, runs `fn`, and commits; returns what `fn` does. Rolls back when `fn`
   * throws, and when `ctx` ends before the COMMIT, which is not interrupted: then the statement
   * that is running is stopped, and the promise rejects with `ctx.err()` when all is over.
   *
   * Statements that `fn` did not await are over before the COMMIT, and stopped before a ROLLBACK.
   * One that fails or is stopped aborts the whole transaction; if `fn` swallows that, the promise
   * rejects with an error of `code` "ERR_NOTHING_COMMITTED". DuckDB has no savepoints, so there are
   * no transactions within.
   */
  transaction<T>(
    ctx: Context,
    fn: (tx: ContextTransaction<C>) => T | PromiseLike<T>,
  ): Promise<Awaited<T>>;
}

/** A connection with the context first. */
export interface ContextConnection<C extends ConnectionLike> extends ContextTransactional<C> {
  /**
   * Runs `fn` with a connection of its own, for temporary tables, `SET`, prepared statements. Over
   * an instance it is opened for that, and counts as one of `max`; over a connection, everybody
   * else waits. Afterwards what is still running there is awaited, or stopped if `fn` has thrown,
   * and an open transaction is rolled back.
   */
  connection<T>(
    ctx: Context,
    fn: (connection: ContextTransactional<C>) => T | PromiseLike<T>,
  ): Promise<Awaited<T>>;
}

/** An instance with the context first. What is prepared belongs to a connection. */
export type ContextInstance<C extends ConnectionLike> = Omit<ContextConnection<C>, "prepare">;

export interface InstanceOptions {
  /**
   * The most queries that run at once; the others wait in order. 3 by default: each holds one of
   * the four threads that Node has for files and DNS as well (`UV_THREADPOOL_SIZE`).
   */
  max?: number;
}

/**
 * Over an instance, every call has a connection of its own, opened for it and closed after it
 * (0.1 ms), so that up to `max` run at once. For temporary tables and `SET` there is
 * `connection`; `transaction` has one, too.
 *
 * Over a connection, one operation runs at a time and the others wait in order. Use it through
 * this object alone: an interrupt hits whatever the connection is doing. An operation that is
 * stopped inside a transaction that was begun with a BEGIN ends it: the engine has aborted it, and
 * it is rolled back, so that the connection works for whoever comes next and a later COMMIT fails
 * ("no transaction is active"). The connection stays the caller's to close.
 *
 * Appenders are not covered: they compute on the event loop, where nothing can stop them.
 */
export function withContext<C extends ConnectionLike>(connection: C): ContextConnection<C>;
export function withContext<C extends ConnectionLike>(
  instance: InstanceLike<C>,
  options?: InstanceOptions,
): ContextInstance<C>;
export function withContext<C extends ConnectionLike>(
  target: C | InstanceLike<C>,
  { max = 3 }: InstanceOptions = {},
): ContextConnection<C> | ContextInstance<C> {
  if (!isInstance(target)) return faceOf(shared(target)) as unknown as ContextConnection<C>;
  const face = faceOf(perCall(target, max));
  delete face["prepare"];
  return face as unknown as ContextInstance<C>;
}

/** Typed above: one body for many signatures. */
function faceOf<C extends ConnectionLike>(engine: Engine<C>): Record<string, unknown> {
  return { ...statementsOf(engine), ...sessionMethods(sessionsOf(engine)) };
}

function isInstance<C extends ConnectionLike>(
  target: C | InstanceLike<C>,
): target is InstanceLike<C> {
  const { connect, interrupt } = Object(target) as Partial<InstanceLike<C> & ConnectionLike>;
  if (typeof connect === "function") return true;
  if (typeof interrupt === "function") return false;
  throw new TypeError(
    "withContext takes a DuckDBConnection or a DuckDBInstance of @duckdb/node-api",
  );
}

/**
 * DuckDB queries that stop when their context ends: `withContext` wraps a connection or an instance
 * of `@duckdb/node-api`, and keeps the driver's method names and results.
 *
 * @packageDocumentation
 */
import type { ContextConnection, ContextInstance, InstanceOptions } from "./database.ts";
import { type ConnectionSource, handOverAll, sessionMethods } from "../adapter/index.ts";
import { checkLimit, checkOptions, show } from "../internal.ts";
import { connectionPerCall, sharedConnection } from "./engine.ts";
import { sessionsOf } from "./session.ts";
import { driverMethods } from "./statements.ts";
import type { ConnectionLike, InstanceLike } from "./types.ts";

export { NothingCommittedError } from "../adapter/index.ts";
export type {
  ContextConnection,
  ContextInstance,
  ContextQueries,
  ContextTransaction,
  ContextTransactional,
  InstanceOptions,
} from "./database.ts";
export type { ConnectionLike, InstanceLike, StreamConfig } from "./types.ts";

/**
 * Wraps a connection. One operation runs at a time, and the others wait in order.
 *
 * Use the connection only through what this returns: an interrupt hits whatever the connection is
 * doing. Two wrappers of one connection take turns. The caller still owns the connection and closes it.
 *
 * If an operation is stopped inside a transaction that `BEGIN` opened, the engine aborts that
 * transaction. It is then rolled back here, so that the connection works for the next operation. A
 * later COMMIT fails with "no transaction is active".
 *
 * Appenders are not wrapped: they compute on the event loop, where nothing can stop them.
 *
 * Throws a TypeError if the argument is neither a connection nor an instance.
 *
 * @example
 * const db = withContext(await instance.connect());
 * const reader = await db.runAndReadAll(ctx, "FROM orders WHERE day = $1", [day]);
 */
export function withContext<C extends ConnectionLike>(connection: C): ContextConnection<C>;
/**
 * Wraps an instance. Each call opens a connection and closes it afterwards, which takes 0.1 ms, so
 * up to `max` operations run at once. `transaction` and `connection` use one connection from their
 * beginning to their end. Use `connection` for temporary tables and `SET`.
 *
 * Throws a TypeError for an unknown option or if `max` is not a number, and a RangeError if `max` is
 * neither Infinity nor a whole number of at least 1.
 *
 * @example
 * const db = withContext(await DuckDBInstance.create("orders.db"), { max: 2 });
 * const reader = await db.runAndReadAll(ctx, "FROM orders WHERE day = $1", [day]);
 */
export function withContext<C extends ConnectionLike>(
  instance: InstanceLike<C>,
  options?: InstanceOptions,
): ContextInstance<C>;
export function withContext<C extends ConnectionLike>(
  target: C | InstanceLike<C>,
  options: InstanceOptions = {},
): ContextConnection<C> | ContextInstance<C> {
  if (!isInstance(target)) {
    if (Object.keys(options).length > 0) {
      throw new TypeError("withContext(connection) takes no options; max is for a DuckDBInstance");
    }
    return contextMethods(sharedConnection(target)) as unknown as ContextConnection<C>;
  }
  checkOptions(options, "withContext(instance, options)", ["max"]);
  const { max = 3 } = options;
  checkLimit(max, "withContext(instance, options)", "max");
  const methods = contextMethods(connectionPerCall(target, max));
  delete methods["prepare"];
  return methods as unknown as ContextInstance<C>;
}

/** The overloads of `withContext` give these methods their types. */
function contextMethods<C extends ConnectionLike>(
  source: ConnectionSource<C>,
): Record<string, unknown> {
  return { ...handOverAll(driverMethods(source)), ...sessionMethods(sessionsOf(source)) };
}

function isInstance<C extends ConnectionLike>(
  target: C | InstanceLike<C>,
): target is InstanceLike<C> {
  const { connect, interrupt } = Object(target) as Partial<InstanceLike<C> & ConnectionLike>;
  if (typeof connect === "function") return true;
  if (typeof interrupt === "function") return false;
  throw new TypeError(
    `withContext takes a DuckDBConnection or a DuckDBInstance of @duckdb/node-api, got ${show(target)}`,
  );
}

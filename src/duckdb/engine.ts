/** One operation on a DuckDB connection: how it gets the connection, and how it is stopped. */
import {
  type ConnectionSource,
  type InterruptibleOperation,
  runInterruptible,
} from "../adapter/index.ts";
import { Semaphore, type Context } from "../index.ts";
import { threads } from "./threads.ts";
import type { ConnectionLike, InstanceLike } from "./types.ts";

/**
 * Runs `use` on a connection of `source` when it is its turn and a thread is free. `what` describes
 * it in the ledger.
 */
export function runOperation<C extends ConnectionLike, T>(
  ctx: Context,
  source: ConnectionSource<C>,
  what: string,
  use: (connection: C) => PromiseLike<T>,
): Promise<T> {
  const operation = interruptible(source, "duckdb.query", what);
  let giveThread = (): void => undefined;
  return runInterruptible(ctx, {
    ...operation,
    async open(ctx) {
      giveThread = await threads.take(ctx);
      try {
        return await operation.open(ctx);
      } catch (error) {
        giveThread();
        throw error;
      }
    },
    use,
    async release(connection, wasStopped) {
      try {
        await operation.release(connection, wasStopped);
      } finally {
        giveThread();
      }
    },
  });
}

/** Runs a step of a transaction, such as COMMIT, which takes the thread that statements leave free. */
export function runStep<C extends ConnectionLike, T>(
  ctx: Context,
  source: ConnectionSource<C>,
  sql: string,
  use: (connection: C) => PromiseLike<T>,
): Promise<T> {
  return runInterruptible(ctx, { ...interruptible(source, "duckdb.query", sql), use });
}

/** Returns all of an operation but its `use`. */
export function interruptible<C extends ConnectionLike>(
  source: ConnectionSource<C>,
  kind: string,
  what: string,
): Omit<InterruptibleOperation<C, never>, "use"> {
  return {
    kind,
    what,
    places: source.places,
    open: () => source.open(),
    interrupt: (connection) => connection.interrupt(),
    isInterrupt,
    release: (connection, wasStopped) => source.close(connection, wasStopped),
  };
}

/** Opens a new connection for each operation and each session, and runs `max` of them at once. */
export function connectionPerCall<C extends ConnectionLike>(
  instance: InstanceLike<C>,
  max: number,
): ConnectionSource<C> {
  return {
    places: new Semaphore(max),
    open: () => instance.connect(),
    close: (connection) => connection.closeSync(),
  };
}

/**
 * The place of each wrapped connection. Two wrappers of one connection share it, so that the
 * interrupt of one cannot hit an operation of the other.
 */
const placesOfConnections = new WeakMap<ConnectionLike, Semaphore>();

/** Runs all operations and sessions on this connection, one at a time. */
export function sharedConnection<C extends ConnectionLike>(connection: C): ConnectionSource<C> {
  let places = placesOfConnections.get(connection);
  if (places === undefined) placesOfConnections.set(connection, (places = new Semaphore(1)));
  return {
    places,
    open: () => connection,
    async close(_, mustRollBack) {
      if (mustRollBack) await rollback(connection);
    },
  };
}

/** Rolls back the transaction, if there is one. Never rejects. */
export async function rollback(connection: ConnectionLike): Promise<void> {
  // Without a transaction the ROLLBACK fails, which leaves the connection as it should be.
  await connection.run("ROLLBACK").catch(() => undefined);
}

/** The driver's errors carry nothing but a message. */
export function isInterrupt(error: unknown): boolean {
  return error instanceof Error && error.message.startsWith("INTERRUPT Error:");
}

/** The error of every statement in a transaction in which an earlier one has failed or was interrupted. */
export function isAborted(error: unknown): boolean {
  return error instanceof Error && error.message.includes("Current transaction is aborted");
}

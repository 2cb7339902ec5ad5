/**
 * DuckDB queries that stop when their context does: `withContext` over a connection or an instance
 * of `@duckdb/node-api`, with the driver's own method names and results.
 *
 * @packageDocumentation
 */
import { Places } from "../adapter/places.ts";
import { runInterruptible, type Interruptible } from "../adapter/interrupt.ts";
import type { Context } from "../index.ts";

type Read = (sql: string, ...rest: never[]) => Promise<unknown>;

/** What is needed of a `DuckDBConnection`. */
export interface Connection {
  run: Read;
  runAndRead: Read;
  runAndReadAll: Read;
  runAndReadUntil: Read;
  interrupt(): void;
  closeSync(): void;
}

/** What is needed of a `DuckDBInstance`. */
export interface Instance<C extends Connection> {
  connect(): Promise<C>;
}

/** A method of the driver, with the context first. */
type CtxFirst<F extends Read> = (ctx: Context, ...args: Parameters<F>) => ReturnType<F>;

/**
 * The driver's methods that run SQL and read its result, with the context first.
 *
 * Each rejects with `ctx.err()` when `ctx` is done: at once while it waits for its turn, and
 * otherwise when the engine has really stopped. A result that beats the stop is returned, and
 * every other error is the driver's own. An engine that ignores its interrupts for two seconds is
 * waited for no longer; its connection is not used again until it has let go.
 */
export interface ContextConnection<C extends Connection> {
  run: CtxFirst<C["run"]>;
  runAndRead: CtxFirst<C["runAndRead"]>;
  runAndReadAll: CtxFirst<C["runAndReadAll"]>;
  runAndReadUntil: CtxFirst<C["runAndReadUntil"]>;
}

export interface InstanceOptions {
  /**
   * The most queries that run at once; the others wait in order. 3 by default: each holds one of
   * the four threads that Node has for files and DNS as well (`UV_THREADPOOL_SIZE`).
   */
  max?: number;
}

/**
 * Over an instance, every call has a connection of its own, opened for it and closed after it
 * (0.1 ms), so that up to `max` run at once. For transactions, temporary tables and `SET`, use a
 * connection.
 *
 * Over a connection, one operation runs at a time and the others wait in order. Use it through
 * this object alone: an interrupt hits whatever the connection is doing. An operation that is
 * stopped inside a transaction ends it: the engine has aborted it, and it is rolled back, so that
 * the connection works for whoever comes next and a later COMMIT fails ("no transaction is
 * active"). The connection stays the caller's to close.
 */
export function withContext<C extends Connection>(connection: C): ContextConnection<C>;
export function withContext<C extends Connection>(
  instance: Instance<C>,
  options?: InstanceOptions,
): ContextConnection<C>;
export function withContext<C extends Connection>(
  target: C | Instance<C>,
  options: InstanceOptions = {},
): ContextConnection<C> {
  const access = isInstance(target) ? perCall(target, options) : shared(target);
  type Method = keyof ContextConnection<C>;
  const method = <M extends Method>(name: M): ContextConnection<C>[M] => {
    const call = (ctx: Context, sql: string, ...rest: never[]): Promise<unknown> =>
      runInterruptible(ctx, {
        ...access,
        kind: "duckdb.query",
        what: sql,
        use: (connection: C) => connection[name](sql, ...rest),
        interrupt: (connection: C) => connection.interrupt(),
        isInterrupt,
      });
    return call as never; // one body for four signatures
  };
  return {
    run: method("run"),
    runAndRead: method("runAndRead"),
    runAndReadAll: method("runAndReadAll"),
    runAndReadUntil: method("runAndReadUntil"),
  };
}

type Access<C> = Pick<Interruptible<C, unknown>, "places" | "open" | "release">;

function perCall<C extends Connection>(
  instance: Instance<C>,
  { max = 3 }: InstanceOptions,
): Access<C> {
  if (!(max >= 1)) throw new RangeError(`withContext takes a max of at least 1, got ${max}`);
  return {
    places: new Places(max),
    open: () => instance.connect(),
    release: (connection) => connection.closeSync(),
  };
}

// By the connection, so that two wrappers of one do not hit each other.
const turns = new WeakMap<Connection, Places>();

function shared<C extends Connection>(connection: C): Access<C> {
  let places = turns.get(connection);
  if (places === undefined) turns.set(connection, (places = new Places(1)));
  return {
    places,
    open: () => connection,
    async release(_, hit) {
      // Fails when there was no transaction, which is as good.
      if (hit) await connection.run("ROLLBACK").catch(() => undefined);
    },
  };
}

function isInstance<C extends Connection>(target: C | Instance<C>): target is Instance<C> {
  const { connect, interrupt } = Object(target) as Partial<Instance<C> & Connection>;
  if (typeof connect === "function") return true;
  if (typeof interrupt === "function") return false;
  throw new TypeError(
    "withContext takes a DuckDBConnection or a DuckDBInstance of @duckdb/node-api",
  );
}

/** The driver's errors carry nothing but their text. */
function isInterrupt(error: unknown): boolean {
  return error instanceof Error && error.message.startsWith("INTERRUPT Error:");
}

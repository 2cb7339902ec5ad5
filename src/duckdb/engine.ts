/** One operation on a DuckDB connection, and how it is stopped there. */
import { runInterruptible, type Interruptible } from "../adapter/engine/interrupt.ts";
import { Places } from "../adapter/places.ts";
import type { Context } from "../index.ts";
import type { ConnectionLike, InstanceLike } from "./types.ts";

/** Where a connection comes from, and where it goes. */
export interface Engine<C> {
  readonly places: Places;
  open(): C | PromiseLike<C>;
  /** `hit` if what it did was stopped. */
  close(connection: C, hit: boolean): void | PromiseLike<void>;
}

/** Runs `use` on a connection when it is its turn. */
export function operate<C extends ConnectionLike, T>(
  ctx: Context,
  engine: Engine<C>,
  what: string,
  use: (connection: C) => PromiseLike<T>,
): Promise<T> {
  return runInterruptible(ctx, { ...interruptible(engine, "duckdb.query", what), use });
}

export function interruptible<C extends ConnectionLike>(
  engine: Engine<C>,
  kind: string,
  what: string,
): Omit<Interruptible<C, never>, "use"> {
  return {
    kind,
    what,
    places: engine.places,
    open: () => engine.open(),
    interrupt: (connection) => connection.interrupt(),
    isInterrupt,
    release: (connection, hit) => engine.close(connection, hit),
  };
}

/** A connection of its own for each operation, `max` at once. */
export function perCall<C extends ConnectionLike>(
  instance: InstanceLike<C>,
  max: number,
): Engine<C> {
  if (!(max >= 1)) throw new RangeError(`withContext takes a max of at least 1, got ${max}`);
  return {
    places: new Places(max),
    open: () => instance.connect(),
    close: (connection) => connection.closeSync(),
  };
}

// By the connection, so that two wrappers of one do not hit each other.
const turns = new WeakMap<ConnectionLike, Places>();

export function shared<C extends ConnectionLike>(connection: C): Engine<C> {
  let places = turns.get(connection);
  if (places === undefined) turns.set(connection, (places = new Places(1)));
  return {
    places,
    open: () => connection,
    async close(_, hit) {
      if (hit) await rollback(connection);
    },
  };
}

/** Fails when there is no transaction, which is as good. */
export async function rollback(connection: ConnectionLike): Promise<void> {
  await connection.run("ROLLBACK").catch(() => undefined);
}

/** The driver's errors carry nothing but their text. */
export function isInterrupt(error: unknown): boolean {
  return error instanceof Error && error.message.startsWith("INTERRUPT Error:");
}

/** What every statement meets in a transaction in which one has failed or was interrupted. */
export function isAborted(error: unknown): boolean {
  return error instanceof Error && error.message.includes("Current transaction is aborted");
}

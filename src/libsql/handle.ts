/** What all wrappers of one `Database` share, and one operation on it. */
import { runInterruptible, type Interruptible } from "../adapter/engine/interrupt.ts";
import { Places } from "../adapter/places.ts";
import type { Context } from "../index.ts";
import { binding } from "./binding.ts";
import type { DatabaseLike, Row } from "./index.ts";
import { allRows, start, type Bound } from "./rows.ts";
import { Paused } from "./paused.ts";
import { Statements } from "./statements.ts";

export interface Handle {
  readonly db: DatabaseLike;
  readonly places: Places;
  readonly statements: Statements;
  readonly paused: Paused;
  /** Throws a TypeError if the database is closed. */
  enter(): void;
  /** `hit` if what was done since was stopped. */
  leave(hit: boolean): void | PromiseLike<void>;
}

// By the database, so that two wrappers of one do not hit each other.
const handles = new WeakMap<DatabaseLike, Handle>();

export function handleOf(db: DatabaseLike): Handle {
  const known = handles.get(db);
  if (known !== undefined) return known;
  const closing = closeWhenIdle(db);
  const statements = new Statements(db);
  const handle: Handle = {
    db,
    places: new Places(1),
    statements,
    paused: new Paused(db, statements),
    enter: () => closing.enter(),
    async leave(hit) {
      if (hit) await rollback(handle);
      await handle.paused.end();
      closing.leave();
    },
  };
  handles.set(db, handle);
  return handle;
}

/** How a statement is prepared when it is its turn, and how it is stopped. */
export function interruptible(
  handle: Handle,
  kind: string,
  sql: string,
  params: readonly unknown[],
): Omit<Interruptible<Bound, never>, "use"> {
  const [shape, bound] = binding(params);
  return {
    kind,
    what: sql,
    places: handle.places,
    async open() {
      handle.enter();
      try {
        // Not in `use`: preparing holds a lock that interrupt() would wait for, on the event loop.
        return { statement: await handle.statements.prepare(sql, shape), params: bound };
      } catch (error) {
        await handle.leave(false);
        throw error;
      }
    },
    interrupt: () => handle.db.interrupt(),
    isInterrupt,
    release: (_, hit) => handle.leave(hit),
  };
}

/** One statement, all its rows. */
export async function query(
  ctx: Context,
  handle: Handle,
  sql: string,
  params: readonly unknown[] = [],
): Promise<Row[]> {
  return await runInterruptible(ctx, {
    ...interruptible(handle, "libsql.query", sql, params),
    async use(bound) {
      try {
        return await allRows(await start(bound));
      } catch (error) {
        handle.paused.note(bound, error);
        throw error;
      }
    },
  });
}

/** Fails when there is no transaction, which is as good. */
export async function rollback({ statements }: Handle): Promise<void> {
  try {
    const statement = await statements.prepare("ROLLBACK", "0");
    await allRows(await start({ statement, params: [] }));
  } catch {
    // see above
  }
}

function isInterrupt(error: unknown): boolean {
  return (error as { code?: unknown } | null)?.code === "SQLITE_INTERRUPT";
}

/**
 * The driver aborts the whole process if a database is closed while a `prepare` waits for one of
 * its threads. Whoever was let go after the stop timeout may well close it then; so `close()`, on
 * this one object, waits for the operation that is still in flight.
 */
function closeWhenIdle(db: DatabaseLike): { enter(): void; leave(): void } {
  const close = db.close.bind(db);
  let inFlight = false;
  let closed = false;
  db.close = () => {
    closed = true;
    if (!inFlight) close();
  };
  return {
    enter() {
      if (closed) throw new TypeError("the database is closed");
      inFlight = true;
    },
    leave() {
      inFlight = false;
      if (closed) close();
    },
  };
}

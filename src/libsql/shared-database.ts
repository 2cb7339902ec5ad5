/** What all wrappers of one `Database` share, and how one operation runs on it. */
import {
  type ConnectionSource,
  type InterruptibleOperation,
  runInterruptible,
} from "../adapter/index.ts";
import { Semaphore, type Context } from "../index.ts";
import { bindParameters } from "./binding.ts";
import { PausedStatements } from "./paused-statements.ts";
import { allRows, startStatement, type BoundStatement } from "./rows.ts";
import { StatementCache } from "./statement-cache.ts";
import { workers } from "./workers.ts";
import type { DatabaseLike, Row } from "./types.ts";

/** A database, which is the one connection of its source. */
export interface SharedDatabase extends ConnectionSource<DatabaseLike> {
  readonly db: DatabaseLike;
  readonly statements: StatementCache;
  readonly paused: PausedStatements;
}

/** By the database, so that the interrupt of one wrapper cannot hit an operation of another. */
const sharedDatabases = new WeakMap<DatabaseLike, SharedDatabase>();

/** Returns what all wrappers of this database share. Its `open` throws a TypeError once `db` is closed. */
export function sharedDatabase(db: DatabaseLike): SharedDatabase {
  const known = sharedDatabases.get(db);
  if (known !== undefined) return known;
  const use = deferClose(db);
  const statements = new StatementCache(db);
  const shared: SharedDatabase = {
    db,
    places: new Semaphore(1),
    statements,
    paused: new PausedStatements(db, statements),
    open() {
      use.begin();
      return db;
    },
    async close(_, mustRollBack) {
      if (mustRollBack) await rollback(shared);
      await shared.paused.finish();
      use.end();
    },
  };
  sharedDatabases.set(db, shared);
  return shared;
}

/**
 * Returns all of an operation but its `use`: how its statement is prepared when it is its turn, and
 * how it is stopped. `source` is the database itself, or the session that has it.
 */
export function interruptible(
  shared: SharedDatabase,
  source: ConnectionSource<DatabaseLike>,
  kind: string,
  sql: string,
  params: readonly unknown[],
): Omit<InterruptibleOperation<BoundStatement, never>, "use"> {
  const [shape, bound] = bindParameters(params);
  return {
    kind,
    what: sql,
    places: source.places,
    async open(ctx) {
      const db = await source.open();
      let giveWorker = (): void => undefined;
      try {
        // The statements that hold the other workers may wait for the locks of a transaction.
        giveWorker = await (db.inTransaction === true ? workers.takeLast(ctx) : workers.take(ctx));
        // Not in `use`: preparing holds a lock that interrupt() would wait for, on the event loop.
        const statement = await shared.statements.prepare(sql, shape);
        return { statement, params: bound, onStarted: giveWorker };
      } catch (error) {
        giveWorker();
        await source.close(db, false);
        throw error;
      }
    },
    interrupt: () => shared.db.interrupt(),
    isInterrupt,
    release({ onStarted }, wasStopped) {
      onStarted?.();
      return source.close(shared.db, wasStopped);
    },
  };
}

/** Runs one statement and returns all its rows. */
export async function query(
  ctx: Context,
  shared: SharedDatabase,
  sql: string,
  params: readonly unknown[] = [],
  source: ConnectionSource<DatabaseLike> = shared,
): Promise<Row[]> {
  return await runInterruptible(ctx, {
    ...interruptible(shared, source, "libsql.query", sql, params),
    async use(bound) {
      try {
        return await allRows(await startStatement(bound));
      } catch (error) {
        shared.paused.note(bound, error);
        throw error;
      }
    },
  });
}

/** Rolls back the transaction, if there is one. Never rejects. */
export async function rollback({ db, statements }: SharedDatabase): Promise<void> {
  if (db.inTransaction === false) return;
  try {
    const statement = await statements.prepare("ROLLBACK", "0");
    await allRows(await startStatement({ statement, params: [] }));
  } catch {
    // Without a transaction the ROLLBACK fails, which leaves the database as it should be.
  }
}

function isInterrupt(error: unknown): boolean {
  return (error as { code?: unknown } | null)?.code === "SQLITE_INTERRUPT";
}

/**
 * Makes `db.close()` wait for the operation that runs. The driver aborts the whole process if a
 * database is closed while a `prepare` waits for one of the driver's threads. A caller that got
 * `ctx.err()` after the stop timeout may well close the database while its operation still runs.
 */
function deferClose(db: DatabaseLike): { begin(): void; end(): void } {
  const close = db.close.bind(db);
  let isInUse = false;
  let isClosed = false;
  db.close = () => {
    isClosed = true;
    if (!isInUse) close();
  };
  return {
    begin() {
      if (isClosed) throw new TypeError("the database is closed");
      isInUse = true;
    },
    end() {
      isInUse = false;
      if (isClosed) close();
    },
  };
}

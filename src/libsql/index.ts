/**
 * SQLite queries that stop when their context does: `withContext` over a `Database` of
 * `libsql/promise`.
 *
 * Only `all`: the driver's `get` and `run` compute on the event loop, and while its `exec` runs,
 * the interrupt itself would block the event loop. Everything that they do can be done with it:
 * `INSERT … RETURNING`, `BEGIN`, `COMMIT`.
 *
 * @packageDocumentation
 */
import { setImmediate } from "node:timers/promises";
import { runInterruptible } from "../adapter/interrupt.ts";
import { Places } from "../adapter/places.ts";
import type { Context } from "../index.ts";
import { Statements } from "./statements.ts";

/** What is needed of a `Database` of `libsql/promise`. */
export interface Database {
  prepare(sql: string): PromiseLike<Statement>;
  interrupt(): void;
  close(): void;
}

/** What is needed of its prepared statements. */
export interface Statement {
  iterate(params: unknown): PromiseLike<Iterable<unknown>>;
}

/** What the driver can bind. It has no booleans. */
export type Parameter = null | number | bigint | string | Uint8Array;

/** As the driver gives them: integers are numbers, or bigints after its `defaultSafeIntegers()`. */
export type Value = null | number | bigint | string | ArrayBuffer;

/** A `Database` with the context first. */
export interface ContextDatabase {
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
  all(
    ctx: Context,
    sql: string,
    ...params: readonly Parameter[] | [Readonly<Record<string, Parameter>>]
  ): Promise<Record<string, Value>[]>;
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
export function withContext(db: Database): ContextDatabase {
  if (typeof (Object(db) as Partial<Database>).interrupt !== "function") {
    throw new TypeError("withContext takes a Database of libsql/promise");
  }
  let shared = handles.get(db);
  if (shared === undefined) {
    const closing = closeWhenIdle(db);
    handles.set(db, (shared = { places: new Places(1), statements: new Statements(db), closing }));
  }
  const { places, statements, closing } = shared;
  return {
    all: async (ctx, sql, ...params) => {
      const [shape, bound] = binding(params);
      return runInterruptible(ctx, {
        kind: "libsql.query",
        what: sql,
        places,
        // Preparing holds a lock that interrupt() would wait for, on the event loop.
        open: () => closing.begin(() => statements.prepare(sql, shape)),
        use: (statement) => rows(statement, bound),
        interrupt: () => db.interrupt(),
        isInterrupt,
        async release(_, hit) {
          // Fails when there was no transaction, which is as good.
          if (hit) await rollback(statements).catch(() => undefined);
          closing.end();
        },
      });
    },
  };
}

// By the database, so that two wrappers of one do not hit each other.
const handles = new WeakMap<
  Database,
  { places: Places; statements: Statements; closing: Closing }
>();

interface Closing {
  /** An operation begins by preparing; it is over if that fails. */
  begin<T>(prepare: () => Promise<T>): Promise<T>;
  end(): void;
}

/**
 * The driver aborts the whole process if a database is closed while a `prepare` waits for one of
 * its threads. Whoever was let go after the time of grace may well close it then; so `close()`, on
 * this one object, waits for the operation that is still in flight.
 */
function closeWhenIdle(db: Database): Closing {
  const close = db.close.bind(db);
  let inFlight = false;
  let closed = false;
  db.close = () => {
    closed = true;
    if (!inFlight) close();
  };
  const end = (): void => {
    inFlight = false;
    if (closed) close();
  };
  return {
    async begin(prepare) {
      if (closed) throw new TypeError("the database is closed");
      inFlight = true;
      try {
        return await prepare();
      } catch (error) {
        end();
        throw error;
      }
    },
    end,
  };
}

async function rollback(statements: Statements): Promise<void> {
  await rows(await statements.prepare("ROLLBACK", "0"), []);
}

/** How long rows are fetched before others get their turn, in milliseconds. */
const SLICE = 10;

/**
 * To the end or to an error, whatever the context says: a statement left in the middle would hold
 * its locks and keep interrupts in force until it is collected. A stop reaches us as an interrupt.
 */
async function rows(statement: Statement, params: unknown): Promise<Record<string, Value>[]> {
  const result: Record<string, Value>[] = [];
  const fetched = await statement.iterate(params);
  let ends = performance.now() + SLICE;
  for (const row of fetched) {
    result.push(row as Record<string, Value>);
    if (performance.now() < ends) continue;
    await setImmediate();
    ends = performance.now() + SLICE;
  }
  return result;
}

/**
 * What the driver binds, an array or an object of named ones, and how many. Never a bare value,
 * which it would take for an object: one `Uint8Array`, or a boolean anywhere, aborts the process.
 */
function binding(params: readonly unknown[]): [shape: string, bound: unknown] {
  const [first] = params;
  const named = params.length === 1 && isRecord(first);
  for (const value of named ? Object.values(first) : params) {
    if (typeof value !== "boolean") continue;
    throw new TypeError("SQLite has no booleans: pass 0 or 1");
  }
  return named ? ["named", first] : [String(params.length), params];
}

function isRecord(x: unknown): x is Record<string, unknown> {
  if (typeof x !== "object" || x === null) return false;
  const prototype: unknown = Object.getPrototypeOf(x);
  return prototype === Object.prototype || prototype === null;
}

function isInterrupt(error: unknown): boolean {
  return (error as { code?: unknown } | null)?.code === "SQLITE_INTERRUPT";
}

/**
 * Prepared statements are kept, and not only because preparing costs: the collector finalizes a
 * forgotten one on the event loop, where it waits for the lock of whatever query its database is
 * running. The event loop then stands still until that query ends, and nothing can stop it.
 */
import type { DatabaseLike, StatementLike } from "./index.ts";

/** Beyond so many texts the one that was used longest ago is let go, and the risk above taken. */
const MOST = 1_000;

export class Statements {
  readonly #kept = new Map<string, StatementLike>();
  readonly #db: DatabaseLike;

  constructor(db: DatabaseLike) {
    this.#db = db;
  }

  /**
   * The statement for this text, and for this `shape` of parameters: the driver binds only those
   * that it is given, and a statement remembers the rest from the call before, which may have been
   * somebody else's.
   */
  async prepare(sql: string, shape: string): Promise<StatementLike> {
    const key = `${shape}:${sql}`;
    const statement = this.#kept.get(key) ?? (await prepare(this.#db, sql));
    this.#kept.delete(key);
    this.#kept.set(key, statement);
    const [oldest] = this.#kept.keys();
    if (this.#kept.size > MOST && oldest !== undefined) this.#kept.delete(oldest);
    return statement;
  }
}

function prepare(db: DatabaseLike, sql: string): PromiseLike<StatementLike> {
  const statement = db.prepare(sql) as Partial<PromiseLike<StatementLike>>;
  if (typeof statement.then === "function") return statement as PromiseLike<StatementLike>;
  throw new TypeError('this Database blocks the event loop: open it with "libsql/promise"');
}

/**
 * Prepared statements are kept, and not only because preparing one costs time. The garbage collector
 * finalizes a statement on the event loop, where it waits for a lock that the running query of its
 * database holds. The event loop is blocked until that query ends, and so nothing can stop the query.
 */
import type { DatabaseLike, StatementLike } from "./types.ts";

/**
 * The number of statements that are kept. Beyond it, the one that was used longest ago is dropped,
 * although its collection may block the event loop.
 */
const MAX_STATEMENTS = 1_000;

export class StatementCache {
  readonly #statements = new Map<string, StatementLike>();
  readonly #db: DatabaseLike;

  constructor(db: DatabaseLike) {
    this.#db = db;
  }

  /**
   * Returns the statement for this SQL and this `shape` of parameters. The shape matters because the
   * driver binds only the parameters that it is given. For the others the statement keeps the values
   * of its last call, which may belong to another request.
   */
  async prepare(sql: string, shape: string): Promise<StatementLike> {
    const key = `${shape}:${sql}`;
    const statement = this.#statements.get(key) ?? (await prepare(this.#db, sql));
    this.#statements.delete(key);
    this.#statements.set(key, statement);
    const [oldest] = this.#statements.keys();
    if (this.#statements.size > MAX_STATEMENTS && oldest !== undefined) {
      this.#statements.delete(oldest);
    }
    return statement;
  }
}

function prepare(db: DatabaseLike, sql: string): PromiseLike<StatementLike> {
  const statement = db.prepare(sql) as Partial<PromiseLike<StatementLike>>;
  if (typeof statement.then === "function") return statement as PromiseLike<StatementLike>;
  throw new TypeError('this Database blocks the event loop: open it with "libsql/promise"');
}

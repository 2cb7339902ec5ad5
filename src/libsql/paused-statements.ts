/**
 * Statements that failed with SQLITE_BUSY. SQLite pauses such a statement so that it can be tried
 * again, but the driver neither tries it again nor finishes it. Until it is garbage collected, no
 * COMMIT succeeds ("SQL statements in progress"), and an interrupt stays in force for all later
 * statements.
 */
import { allRows, startStatement, type BoundStatement, type RowIterator } from "./rows.ts";
import type { StatementCache } from "./statement-cache.ts";
import type { DatabaseLike } from "./types.ts";

/** Has more rows than the driver fetches at once, so that it is not finished after the first one. */
const LONG_STATEMENT =
  "WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c WHERE n < 500) SELECT n FROM c";

export class PausedStatements {
  readonly #paused = new Set<BoundStatement>();
  readonly #db: DatabaseLike;
  readonly #statements: StatementCache;

  constructor(db: DatabaseLike, statements: StatementCache) {
    this.#db = db;
    this.#statements = statements;
  }

  /** Records the statement if this error has paused it. */
  note(bound: BoundStatement, error: unknown): void {
    if ((error as { code?: unknown } | null)?.code === "SQLITE_BUSY") this.#paused.add(bound);
  }

  /**
   * Finishes the paused statements: each is run again while an interrupt is in force, so that it fails
   * before it does anything. Does nothing inside a transaction, which the interrupt would end too. Call it
   * again after the transaction.
   */
  async finish(): Promise<void> {
    if (this.#paused.size === 0 || this.#db.inTransaction === true) return;
    const statement = await this.#statements.prepare(LONG_STATEMENT, "0");
    const unfinished = await startStatement({ statement, params: [] });
    unfinished.next(); // An interrupt stays in force for as long as this statement is not finished.
    this.#db.interrupt();
    for (const bound of this.#paused) await readToEnd(startStatement(bound));
    this.#paused.clear();
    await readToEnd(unfinished);
  }
}

async function readToEnd(rows: RowIterator | PromiseLike<RowIterator>): Promise<void> {
  try {
    await allRows(await rows);
  } catch {
    // The interrupt fails the statement, which finishes it.
  }
}

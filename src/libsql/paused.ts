/**
 * SQLITE_BUSY leaves a statement in the middle, to be tried again; the driver neither tries nor ends
 * it. Until it is collected no COMMIT succeeds ("SQL statements in progress"), and an interrupt
 * stays in force for everybody who comes after it.
 */
import type { DatabaseLike } from "./index.ts";
import { allRows, start, type Bound } from "./rows.ts";
import type { Statements } from "./statements.ts";

/** More rows than the driver fetches at once. */
const UNFINISHED =
  "WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c WHERE n < 500) SELECT n FROM c";

export class Paused {
  readonly #paused = new Set<Bound>();
  readonly #db: DatabaseLike;
  readonly #statements: Statements;

  constructor(db: DatabaseLike, statements: Statements) {
    this.#db = db;
    this.#statements = statements;
  }

  /** What a statement failed with. */
  note(bound: Bound, error: unknown): void {
    if ((error as { code?: unknown } | null)?.code === "SQLITE_BUSY") this.#paused.add(bound);
  }

  /**
   * Ends them: run again, while an interrupt is in force, they fail before they do anything. Not
   * inside a transaction, which would end as well; so again after it.
   */
  async end(): Promise<void> {
    if (this.#paused.size === 0 || this.#db.inTransaction === true) return;
    const statement = await this.#statements.prepare(UNFINISHED, "0");
    const unfinished = await start({ statement, params: [] });
    unfinished.next(); // as long as it has not ended, an interrupt stays in force
    this.#db.interrupt();
    for (const bound of this.#paused) await toItsEnd(start(bound));
    this.#paused.clear();
    await toItsEnd(unfinished);
  }
}

async function toItsEnd(
  rows: Awaited<ReturnType<typeof start>> | ReturnType<typeof start>,
): Promise<void> {
  try {
    await allRows(await rows);
  } catch {
    // That is its end.
  }
}

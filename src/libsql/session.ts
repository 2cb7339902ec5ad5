/** A database while it serves a transaction, a stream or a function. */
import { setImmediate } from "node:timers/promises";
import {
  EngineSession,
  engineSessions,
  EngineStream,
  NothingCommittedError,
  type SessionSource,
  type Stream,
} from "../adapter/index.ts";
import type { Context, Permit } from "../index.ts";
import { checkOptions, show } from "../internal.ts";
import type { TransactionOptions } from "./database.ts";
import { allRows, nextRows, startStatement, type RowIterator } from "./rows.ts";
import { interruptible, query, rollback, type SharedDatabase } from "./shared-database.ts";
import type { DatabaseLike } from "./types.ts";

const MODES = ["deferred", "immediate", "exclusive"];

export function sessionsOf(shared: SharedDatabase): SessionSource<TransactionOptions> {
  return engineSessions(shared, (_, place) => new DatabaseSession(shared, place));
}

class DatabaseSession extends EngineSession<DatabaseLike, TransactionOptions> {
  readonly #shared: SharedDatabase;

  constructor(shared: SharedDatabase, place: Permit) {
    super(shared, shared.db, place);
    this.#shared = shared;
  }

  readonly statements = {
    all: (ctx: Context, sql: string, ...params: readonly unknown[]) =>
      query(ctx, this.#shared, sql, params, this.turns),
  };

  open(ctx: Context, sql: string, ...params: readonly unknown[]): Stream {
    let rows: RowIterator | undefined;
    let hasEnded = false;
    const { db, paused } = this.#shared;
    return new EngineStream(ctx, {
      ...interruptible(this.#shared, this.turns, "libsql.stream", sql, params),
      async fetch(bound) {
        if (hasEnded) return undefined;
        // The event loop gets its turn even if the caller's loop does not wait for anything.
        if (rows !== undefined) await setImmediate();
        hasEnded = true; // An error ends the statement as well.
        try {
          rows ??= await startStatement(bound);
          const { slice, done } = nextRows(rows);
          hasEnded = done;
          return slice;
        } catch (error) {
          paused.note(bound, error);
          throw error;
        }
      },
      finish: async (_, end) => {
        if (rows === undefined || hasEnded) return;
        // SQLite has made all changes before the first row. If the loop was left, they are kept, and
        // an interrupt would undo them.
        const keepsChanges = end === "left" && /\breturning\b/i.test(sql);
        if (!keepsChanges) db.interrupt();
        await allRows(rows).catch(() => undefined);
      },
    });
  }

  execute(ctx: Context, sql: string): Promise<unknown> {
    return query(ctx, this.#shared, sql, [], this.turns);
  }

  /** Waits for the statement that runs. The rollback is not interrupted. */
  async reset(ctx: Context): Promise<void> {
    const turn = await this.turns.places.acquire(ctx);
    this.isInTransaction = false;
    await this.tidy(true);
    turn.release();
  }

  protected override beginStatement(options?: TransactionOptions): string {
    checkOptions(options, "transaction(ctx, fn, options)", ["mode"]);
    const { mode = "deferred" } = options ?? {};
    if (!MODES.includes(mode)) {
      throw new TypeError(`mode must be one of ${MODES.join(", ")}, got ${show(mode)}`);
    }
    return `BEGIN ${mode.toUpperCase()}`;
  }

  protected override async tidy(mustRollBack: boolean): Promise<void> {
    if (mustRollBack) await rollback(this.#shared);
    await this.#shared.paused.finish();
  }

  /** SQLite ends a transaction by itself when a write is stopped, and for other reasons. */
  protected override checkTransaction(): void {
    const hasEnded = this.isInTransaction && this.connection.inTransaction === false;
    if (hasEnded || this.isDestroyed) throw new NothingCommittedError();
  }
}

/** One connection for several statements: a transaction's, a stream's, a function's. */
import { shield, throwIfDone, type Context } from "../index.ts";
import { Places } from "../adapter/places.ts";
import { beginOf, type TransactionOptions } from "../adapter/postgresql/begin.ts";
import { serverTimeoutFor } from "../adapter/postgresql/server-timeout.ts";
import type { Settings } from "../adapter/settings.ts";
import type { Session, SessionSource, Stream } from "../adapter/sessions.ts";
import { runStoppable } from "../adapter/stoppable.ts";
import { NothingCommittedError, type TransactionSteps } from "../adapter/transaction.ts";
import { Cursor } from "./cursor.ts";
import type { Pool, Query, Result } from "./driver.ts";
import { FENCE, holdConnection, type HeldConnection } from "./held-connection.ts";
import { needQuery } from "./misuse.ts";
import { isBroken } from "./socket.ts";
import { RunningStatement } from "./statement.ts";
import type { StreamOptions } from "./types.ts";

/** How many rows are fetched at a time, unless the caller says. */
const ROWS = 100;

/**
 * Has a row inside a transaction: elsewhere, that of a statement begins with it. (How many rows is
 * told apart from the rows, which the user may have transformed.)
 */
const IS_OPEN = "select where now() < statement_timestamp()";
/** SQLSTATE in_failed_sql_transaction. */
const ABORTED = "25P02";

export function sessionsOf(pool: Pool, settings: Settings): SessionSource<TransactionOptions> {
  return {
    stopTimeout: settings.stopTimeout,
    take: async (ctx) =>
      new HeldSession(await holdConnection(ctx, pool, settings.stopTimeout), settings),
  };
}

/** One query on whichever connection is free first. */
export async function queryOnce(
  ctx: Context,
  pool: Pool,
  query: Query,
  settings: Settings,
): Promise<unknown> {
  const session = new HeldSession(await holdConnection(ctx, pool, settings.stopTimeout), settings);
  try {
    return await session.run(ctx, query, true);
  } finally {
    await session.tidy(ctx);
    session.end();
  }
}

class HeldSession implements Session<TransactionOptions> {
  readonly #held: HeldConnection;
  readonly #settings: Settings;
  readonly #turn = new Places(1);
  /** A statement has failed, and so it may be wrong how many rows the next one has. */
  #isStale = false;
  #isBroken = false;
  /** Whether the last one may have begun a transaction. */
  #isOpen = false;

  constructor(held: HeldConnection, settings: Settings) {
    this.#held = held;
    this.#settings = settings;
  }

  readonly statements = {
    query: async (ctx: Context, query: unknown): Promise<unknown> => {
      needQuery(query, this.#held.pool, "query");
      return await this.run(ctx, query);
    },
  };

  /** One at a time; `isLast` as for `RunningStatement`. */
  async run(ctx: Context, query: Query, isLast = false): Promise<unknown> {
    await this.#turn.take(ctx);
    try {
      if (this.#isStale) await this.#fence(ctx);
      const statement = new RunningStatement(query, this.#held, isLast);
      try {
        return await runStoppable(ctx, statement, this.#settings.stopTimeout);
      } catch (error) {
        this.#failed(statement, error);
        throw error;
      } finally {
        this.#isOpen = statement.mayHaveBegun;
        if (statement.canceled && this.#settings.destroyOnCancel) this.destroy();
      }
    } finally {
      this.#turn.give();
    }
  }

  #failed(statement: RunningStatement, error: unknown): void {
    this.#isStale = statement.hadRows;
    this.#isBroken = isBroken(error);
  }

  async #fence(ctx: Context): Promise<void> {
    const fence = new RunningStatement(this.#held.pool.unsafe(FENCE), this.#held);
    try {
      await runStoppable(ctx, fence, this.#settings.stopTimeout);
      this.#isStale = false;
    } catch {
      // Stopped, or within an aborted transaction: whatever comes next says so, too.
      throwIfDone(ctx);
    }
  }

  /** Ends a transaction that a single statement has left open. Never rejects. */
  async tidy(ctx: Context): Promise<void> {
    if (!this.#isOpen) return;
    await shield(ctx, this.#settings.stopTimeout, (detached) => this.reset(detached)).catch(() =>
      this.destroy(),
    );
  }

  execute(ctx: Context, sql: string): Promise<unknown> {
    return this.run(ctx, this.#held.pool.unsafe(sql));
  }

  open(ctx: Context, query: unknown, options: StreamOptions = {}): Stream {
    needQuery(query, this.#held.pool, "stream");
    const { rows = ROWS } = options;
    if (!Number.isSafeInteger(rows) || rows < 1) {
      throw new TypeError(`rows is how many are fetched at a time, from 1, got ${String(rows)}`);
    }
    return new Cursor(ctx, query, this.#held, rows, async (cursor) => {
      await this.#turn.take(ctx);
      try {
        return await runStoppable(ctx, cursor, this.#settings.stopTimeout);
      } catch (error) {
        this.#failed(cursor, error);
        throw error;
      } finally {
        if (cursor.canceled && this.#settings.destroyOnCancel) this.destroy();
        this.#turn.give();
      }
    });
  }

  transactionSteps(options: TransactionOptions | undefined, ctx: Context): TransactionSteps {
    const { serverTimeout, stopTimeout } = this.#settings;
    const begin = beginOf(options, serverTimeout ? serverTimeoutFor(ctx, stopTimeout) : undefined);
    let isInside = false;
    return {
      begin: async (ctx) => {
        await this.execute(ctx, begin);
        isInside = true;
      },
      // After a failed statement PostgreSQL answers COMMIT with ROLLBACK, and calls it success.
      commit: async (ctx) => {
        isInside = false;
        const { command } = (await this.execute(ctx, "COMMIT")) as Result;
        if (command !== "COMMIT") throw new NothingCommittedError();
      },
      rollback: (ctx) => (isInside ? this.execute(ctx, "ROLLBACK") : this.reset(ctx)),
      destroy: () => this.destroy(),
    };
  }

  /** Asks first: for a ROLLBACK without need the driver prints the server's warning. */
  async reset(ctx: Context): Promise<void> {
    const isOpen = await this.execute(ctx, IS_OPEN).then(
      (rows) => (rows as Result).count !== 0,
      (error: unknown) => {
        if ((error as { code?: unknown } | null)?.code === ABORTED) return true;
        throw error;
      },
    );
    if (isOpen) await this.execute(ctx, "ROLLBACK");
  }

  destroy(): void {
    this.#held.destroy();
  }

  end(): void {
    if (this.#isBroken) this.#held.leave();
    else this.#held.giveBack();
  }
}

/** A session: one connection while it serves a transaction, a stream, a function or one query. */
import { Semaphore, throwIfDone, type Context } from "../index.ts";
import {
  NothingCommittedError,
  rollBackLeftover,
  runStoppable,
  type Session,
  type SessionSource,
  type Settings,
  type Stream,
  type TransactionSteps,
} from "../adapter/index.ts";
import { beginOf, type TransactionOptions } from "../adapter/postgresql/begin.ts";
import { serverTimeoutFor } from "../adapter/postgresql/server-timeout.ts";
import { cleanUp, show } from "../internal.ts";
import { isConnectionError } from "./connection-error.ts";
import type { Pool, Query, Result } from "./driver.ts";
import { leaseConnection } from "./lease-connection.ts";
import { RESET_ROW_COUNT, type LeasedConnection } from "./leased-connection.ts";
import { needQuery } from "./misuse.ts";
import { RunningQuery, textOf, type QueryOptions } from "./running-query.ts";
import { StreamQuery } from "./stream-query.ts";
import type { StreamOptions } from "./types.ts";

/** How many rows a stream fetches at a time by default. */
const ROWS_PER_FETCH = 100;

/**
 * Returns a row if a transaction is open: outside of one, the transaction begins with the statement.
 * The adapter looks at the number of rows, because the user may have transformed the rows themselves.
 */
const FIND_TRANSACTION = "select where now() < statement_timestamp()";
/** SQLSTATE in_failed_sql_transaction. */
const TRANSACTION_FAILED = "25P02";

/** Returns the source of sessions for the methods that all SQL adapters share. */
export function sessionsOf(pool: Pool, settings: Settings): SessionSource<TransactionOptions> {
  return {
    stopTimeout: settings.stopTimeout,
    pool,
    take: (ctx) => startSession(ctx, pool, settings),
  };
}

/** Runs one query on the connection that becomes free first. */
export async function queryOnce(
  ctx: Context,
  pool: Pool,
  query: Query,
  settings: Settings,
): Promise<unknown> {
  const session = await startSession(ctx, pool, settings);
  try {
    return await session.run(ctx, query, { isLast: true });
  } finally {
    await session.endLeftoverTransaction(ctx, query);
    session.end();
  }
}

async function startSession(
  ctx: Context,
  pool: Pool,
  settings: Settings,
): Promise<PostgresSession> {
  return new PostgresSession(await leaseConnection(ctx, pool, settings.stopTimeout), settings);
}

class PostgresSession implements Session<TransactionOptions> {
  readonly #connection: LeasedConnection;
  readonly #settings: Settings;
  readonly #turns = new Semaphore(1);
  /** Whether a query has failed, so that the driver may miscount the rows of the next one. */
  #mayMiscountRows = false;
  #isBroken = false;
  #mayBeInTransaction = false;

  constructor(connection: LeasedConnection, settings: Settings) {
    this.#connection = connection;
    this.#settings = settings;
  }

  readonly statements = {
    query: async (ctx: Context, query: unknown): Promise<unknown> => {
      needQuery(query, this.#connection.pool, "query");
      return await this.run(ctx, query);
    },
  };

  /** Runs queries one at a time. */
  async run(ctx: Context, query: Query, options?: QueryOptions): Promise<unknown> {
    const turn = await this.#turns.acquire(ctx);
    try {
      if (this.#mayMiscountRows) await this.#resetRowCount(ctx);
      const running = new RunningQuery(query, this.#connection, this.#settings, options);
      try {
        return await runStoppable(ctx, running, this.#settings.stopTimeout);
      } catch (error) {
        this.#recordFailure(running, error);
        throw error;
      } finally {
        this.#mayBeInTransaction = running.mayHaveBegunTransaction;
      }
    } finally {
      turn.release();
    }
  }

  #recordFailure(query: RunningQuery, error: unknown): void {
    this.#mayMiscountRows = query.hasRows;
    this.#isBroken = isConnectionError(error);
  }

  async #resetRowCount(ctx: Context): Promise<void> {
    const { pool } = this.#connection;
    const reset = new RunningQuery(pool.unsafe(RESET_ROW_COUNT), this.#connection, this.#settings);
    try {
      await runStoppable(ctx, reset, this.#settings.stopTimeout);
      this.#mayMiscountRows = false;
    } catch {
      // It was stopped, or the transaction has failed before. The caller's query will report both.
      throwIfDone(ctx);
    }
  }

  /** Rolls back the transaction that the single `query` has left open, if any. Never rejects. */
  async endLeftoverTransaction(ctx: Context, query: Query): Promise<void> {
    if (!this.#mayBeInTransaction) return;
    const { stopTimeout } = this.#settings;
    const leftover = {
      what: textOf(query),
      rollback: (detached: Context) => this.execute(detached, "ROLLBACK"),
      destroy: () => this.destroy(),
    };
    try {
      const isOpen = await cleanUp(ctx, stopTimeout, (detached) => this.#isInTransaction(detached));
      if (isOpen) await rollBackLeftover(ctx, leftover, stopTimeout);
    } catch {
      this.destroy();
    }
  }

  execute(ctx: Context, sql: string, options?: QueryOptions): Promise<unknown> {
    return this.run(ctx, this.#connection.pool.unsafe(sql), options);
  }

  open(ctx: Context, query: unknown, options: StreamOptions = {}): Stream {
    needQuery(query, this.#connection.pool, "stream");
    const { rows = ROWS_PER_FETCH } = options;
    if (!Number.isSafeInteger(rows) || rows < 1) {
      throw new TypeError(
        `stream(ctx, …) got ${show(rows)} for the option rows; pass how many rows are fetched at a time, a whole number from 1`,
      );
    }
    return new StreamQuery(ctx, query, this.#connection, this.#settings, rows, async (running) => {
      const turn = await this.#turns.acquire(ctx);
      try {
        return await runStoppable(ctx, running, this.#settings.stopTimeout);
      } catch (error) {
        this.#recordFailure(running, error);
        throw error;
      } finally {
        turn.release();
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
      // After a failed statement PostgreSQL answers COMMIT with ROLLBACK and reports success.
      commit: async (ctx) => {
        isInside = false;
        const { command } = (await this.execute(ctx, "COMMIT", { mustFinish: true })) as Result;
        if (command !== "COMMIT") throw new NothingCommittedError();
      },
      rollback: (ctx) => (isInside ? this.execute(ctx, "ROLLBACK") : this.reset(ctx)),
      destroy: () => this.destroy(),
    };
  }

  /**
   * Rolls back if a transaction is open. It asks the server first, because a needless ROLLBACK makes
   * the server warn, and the driver prints that.
   */
  async reset(ctx: Context): Promise<void> {
    if (await this.#isInTransaction(ctx)) await this.execute(ctx, "ROLLBACK");
  }

  #isInTransaction(ctx: Context): Promise<boolean> {
    return this.execute(ctx, FIND_TRANSACTION).then(
      (rows) => (rows as Result).count !== 0,
      (error: unknown) => {
        if ((error as { code?: unknown } | null)?.code === TRANSACTION_FAILED) return true;
        throw error;
      },
    );
  }

  destroy(): void {
    this.#connection.destroy();
  }

  end(): void {
    if (this.#isBroken) this.#connection.giveBackAfterClose();
    else this.#connection.giveBack();
  }
}

/** One connection to MySQL or MariaDB, through any driver, while the adapter uses it. */
import { Semaphore, throwIfDone, type Context } from "../../index.ts";
import { rollBackLeftover } from "../leftover-transaction.ts";
import type { StopProof } from "../operation.ts";
import { transactionCommandOf } from "../orm/transaction-command.ts";
import type { Session, Statement, Stream } from "../session.ts";
import type { Settings } from "../settings.ts";
import { runStoppable } from "../stoppable.ts";
import type { TransactionSteps } from "../transaction.ts";
import { runUnstoppable } from "../unstoppable.ts";
import { beginStatements } from "./begin.ts";
import type { MysqlConnection } from "./driver.ts";
import type { KillConnections } from "./kill.ts";
import { Preparation } from "./preparation.ts";
import { RunningStatement, type StatementSession } from "./running-statement.ts";
import { NO_LIMIT, readsOrWritesRows, removeLimit, withLimit } from "./server-timeout.ts";
import { checkStatement, sqlTextOf, type StatementArguments } from "./statement-arguments.ts";
import { StreamStatement } from "./stream-statement.ts";
import { TransactionState } from "./transaction-state.ts";
import type { TransactionOptions } from "./types.ts";

export interface SessionOptions {
  readonly driver: { readonly name: string; readonly methods: readonly string[] };
  readonly connection: MysqlConnection;
  readonly killConnections: KillConnections;
  readonly settings: Settings;
  /** The turns of a connection that several sessions use at the same time. */
  readonly turns?: Semaphore;
  /** Returns the connection to its pool or its owner. */
  giveBack(): void;
}

/** The rows of one statement, which arrive one by one. */
export interface ArrivingRows {
  /** Sends the statement. Resolves with what the driver's methods resolve with, without the rows. */
  read(args: StatementArguments): Promise<unknown>;
  /**
   * Discards the rows that arrive from now on, and holds none back. Called when the statement is to
   * be stopped, because the server notices a KILL only while it can send.
   */
  discard(): void;
}

/**
 * Runs statements one at a time, in order, so that a KILL can hit only the statement that it is
 * meant for.
 */
export class MysqlSession implements Session<TransactionOptions>, StatementSession {
  readonly connection: MysqlConnection;
  readonly transaction = new TransactionState();
  readonly statements: Readonly<Record<string, Statement>>;
  readonly #options: SessionOptions;
  readonly #settings: Settings;
  readonly #turns: Semaphore;
  readonly #preparation: Preparation;
  #wasKilled = false;
  #isDestroyed = false;

  constructor(options: SessionOptions) {
    this.#options = options;
    this.#settings = options.settings;
    this.#turns = options.turns ?? new Semaphore(1);
    this.connection = options.connection;
    this.#preparation = new Preparation({
      ...{ kind: this.#kind("query"), connection: this.connection, settings: this.#settings },
      destroy: () => this.destroy(),
    });
    const entries = options.driver.methods.map((method) => [
      method,
      async (ctx: Context, ...args: StatementArguments) => {
        checkStatement(method, args);
        return await this.run(ctx, method, args);
      },
    ]);
    this.statements = Object.fromEntries(entries) as Record<string, Statement>;
  }

  /** Calls one of the driver's methods. With `rows`, these send the statement instead. */
  async run(
    ctx: Context,
    method: string,
    args: StatementArguments,
    rows?: ArrivingRows,
  ): Promise<unknown> {
    const sql = sqlTextOf(args);
    let limit = NO_LIMIT;
    const call = (): Promise<unknown> => {
      // Prepared statements get none, because the server and the driver know them by their text.
      if (method === "query") limit = this.#preparation.limitFor(ctx, sql);
      const limited = withLimit(args, limit);
      return rows === undefined ? this.connection.call(method, limited) : rows.read(limited);
    };
    const mayOpenTransaction = !readsOrWritesRows(sql) || sql.includes(";");
    const statement = new RunningStatement(this, {
      ...{ kind: this.#kind(method), what: sql, call, mayOpenTransaction },
      isBatch: method === "batch",
      onStop: rows && (() => rows.discard()),
    });
    try {
      return await this.#runInTurn(ctx, statement, args);
    } catch (error) {
      removeLimit(error, limit);
      throw error;
    }
  }

  /**
   * Runs something else on the connection, in its turn, such as a ping. The end of `ctx` does not
   * stop it. Settles as `runUnstoppable` does, but does not start if `ctx` is done.
   */
  async runOther<T>(ctx: Context, start: () => Promise<T>): Promise<T> {
    const turn = await this.#turns.acquire(ctx);
    try {
      throwIfDone(ctx);
      const operation = { start, destroy: () => this.destroy() };
      return await runUnstoppable(ctx, operation, this.#settings.stopTimeout);
    } finally {
      turn.release();
    }
  }

  async execute(ctx: Context, sql: string): Promise<unknown> {
    return await this.#runInTurn(ctx, this.#ownStatement(sql));
  }

  #ownStatement(sql: string): RunningStatement {
    const call = (): Promise<unknown> => this.connection.execute(sql);
    return new RunningStatement(this, { kind: this.#kind("query"), what: sql, call });
  }

  open(ctx: Context, ...args: StatementArguments): Stream {
    checkStatement("stream", args);
    const sql = sqlTextOf(args);
    return new StreamStatement(ctx, this, {
      kind: this.#kind("query"),
      what: sql,
      read: (onRow, onEnd) => {
        const limit = this.#preparation.limitFor(ctx, sql);
        return this.connection.read(withLimit(args, limit), onRow, (error) => {
          removeLimit(error, limit);
          onEnd(error);
        });
      },
      run: (ctx, statement) => this.#runInTurn(ctx, statement, args),
    });
  }

  /**
   * Runs a statement when its turn has come. With `args`, the connection is prepared first if the
   * statement may have to be killed. Statements that end a transaction come without.
   */
  async #runInTurn<T>(
    ctx: Context,
    statement: RunningStatement<T>,
    args?: StatementArguments,
  ): Promise<T> {
    const turn = await this.#turns.acquire(ctx);
    try {
      if (transactionCommandOf(statement.what) !== "rollback") this.transaction.check();
      if (args !== undefined) await this.#preparation.before(ctx, args);
      return await runStoppable(ctx, statement, this.#settings.stopTimeout);
    } finally {
      turn.release();
    }
  }

  #kind(method: string): string {
    return `${this.#options.driver.name}.${method}`;
  }

  transactionSteps(options: TransactionOptions | undefined): TransactionSteps {
    const statements = beginStatements(options);
    return {
      begin: async (ctx) => {
        for (const sql of statements) await this.#runInTurn(ctx, this.#ownStatement(sql), [sql]);
        this.transaction.begin();
      },
      commit: async (ctx) => {
        await this.execute(ctx, "COMMIT");
        this.transaction.end();
      },
      rollback: (ctx) => this.reset(ctx),
      destroy: () => this.destroy(),
    };
  }

  /**
   * Rolls back. The ROLLBACK also removes the isolation level of a transaction that did not begin.
   */
  async reset(ctx: Context): Promise<void> {
    this.transaction.end();
    await this.execute(ctx, "ROLLBACK");
    this.transaction.recordRollback();
  }

  /** Rolls back a transaction that a single statement has left open. Never rejects. */
  async tidy(ctx: Context, args: StatementArguments): Promise<void> {
    if (!this.transaction.isOpenOnServer || this.#isDestroyed) return;
    const leftover = {
      what: sqlTextOf(args),
      rollback: (detached: Context) => this.reset(detached),
      destroy: () => this.destroy(),
    };
    await rollBackLeftover(ctx, leftover, this.#settings.stopTimeout);
  }

  get stopTimeout(): number {
    return this.#settings.stopTimeout;
  }

  kill(): Promise<StopProof> {
    this.#wasKilled = true;
    return this.#options.killConnections.kill(this.connection);
  }

  isIdle(): Promise<boolean> {
    return this.#options.killConnections.isIdle(this.connection);
  }

  discardKillConnection(): void {
    this.#options.killConnections.discard(this.connection);
  }

  destroy(): void {
    if (this.#isDestroyed) return;
    this.#isDestroyed = true;
    this.connection.destroy();
  }

  /** Destroys the connection if a statement was killed and the option `onCancel` is "destroy". */
  destroyIfKilled(): void {
    if (this.#wasKilled && this.#settings.onCancel === "destroy") this.destroy();
  }

  end(): void {
    this.destroyIfKilled();
    this.#options.giveBack();
  }
}

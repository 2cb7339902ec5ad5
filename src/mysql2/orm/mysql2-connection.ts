/** A connection of `mysql2`, as the rules of a bound connection use it. */
import { throwIfDone, type Context } from "../../index.ts";
import { runDetached } from "../../adapter/index.ts";
import { isConnectionError } from "../../adapter/mysql/running-statement.ts";
import type { MysqlSession } from "../../adapter/mysql/session.ts";
import { sqlTextOf } from "../../adapter/mysql/statement-arguments.ts";
import type { DriverConnection } from "../../adapter/orm/driver-connection.ts";
import { transactionCommandOf } from "../../adapter/orm/transaction-command.ts";
import type { CoreConnection } from "../driver.ts";
import type { SqlStatement, Statement } from "./statement.ts";

export class Mysql2Connection implements DriverConnection<Statement, unknown> {
  readonly #core: CoreConnection;
  readonly #session: MysqlSession;

  constructor(core: CoreConnection, session: MysqlSession) {
    this.#core = core;
    this.#session = session;
  }

  textOf(statement: Statement): string | undefined {
    return "start" in statement ? undefined : sqlTextOf(statement.args);
  }

  run(ctx: Context, statement: Statement): Promise<unknown> {
    if ("start" in statement) return this.#session.runOther(ctx, statement.start);
    return this.#runSql(ctx, statement);
  }

  async #runSql(ctx: Context, { method, args, rows }: SqlStatement): Promise<unknown> {
    const arriving = rows && {
      read: (limited: typeof args) => rows.read(this.#core, method, limited),
      discard: () => rows.discard(),
    };
    try {
      const answer = await this.#session.run(ctx, method, args, arriving);
      // The statement was faster than its KILL, but its last rows were discarded.
      if (rows?.hasDiscarded === true) throwIfDone(ctx);
      return answer;
    } finally {
      this.#session.destroyIfKilled();
    }
  }

  async runUnstoppable(ctx: Context, statement: Statement): Promise<unknown> {
    const answer = await this.#detach(ctx, (detached) => this.run(detached, statement));
    this.#trackTransaction(statement);
    return answer;
  }

  /**
   * Lets the session refuse statements after the server has rolled back the transaction of a
   * context. They would run outside of any transaction, and their changes would stay.
   */
  #trackTransaction(statement: Statement): void {
    const { transaction } = this.#session;
    if (!transaction.isOpenOnServer) transaction.end();
    else if (
      "isBound" in statement &&
      statement.isBound &&
      transactionCommandOf(this.textOf(statement)) === "begin"
    )
      transaction.begin();
  }

  rollback(ctx: Context): Promise<unknown> {
    return this.#detach(ctx, (detached) => this.#session.reset(detached));
  }

  async #detach<T>(ctx: Context, fn: (detached: Context) => Promise<T>): Promise<T> {
    try {
      return await runDetached(ctx, fn, this.#session.stopTimeout);
    } catch (error) {
      // A connection that a stop has destroyed refuses the statement.
      throw (isConnectionError(error) ? ctx.err() : undefined) ?? error;
    }
  }

  hasRolledBack(): boolean {
    return false; // MySQL answers a COMMIT with a commit or an error
  }

  isTransactionOpen(): boolean {
    return this.#session.transaction.isOpenOnServer;
  }

  isBusy(): boolean {
    return this.#session.connection.isBusy();
  }

  giveBack(reason?: unknown): void {
    this.#session.transaction.end();
    if (reason !== undefined) this.#session.destroy();
    this.#session.end();
  }

  releaseAgain(): void {
    // mysql2 ignores it too
  }

  destroy(): void {
    this.#session.destroy();
    this.#session.end();
  }
}

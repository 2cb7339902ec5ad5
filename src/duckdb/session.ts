/** One connection for several statements: a transaction's, a stream's, a function's. */
import { Places } from "../adapter/places.ts";
import type { Session, Sessions, Statement, Stream } from "../adapter/sessions.ts";
import { NothingCommittedError, type TransactionSteps } from "../adapter/transaction.ts";
import { background, throwIfDone, type Context } from "../index.ts";
import { isAborted, operate, rollback, type Engine } from "./engine.ts";
import { batchesOf, needSql, statementsOf } from "./statements.ts";
import { streamOf } from "./stream.ts";
import type { ConnectionLike } from "./types.ts";

export function sessionsOf<C extends ConnectionLike>(engine: Engine<C>): Sessions<never> {
  return {
    async take(ctx) {
      await engine.places.take(ctx);
      try {
        return new ConnectionSession(engine, await engine.open());
      } catch (error) {
        engine.places.give();
        throw error;
      }
    },
  };
}

class ConnectionSession<C extends ConnectionLike> implements Session {
  readonly statements: Readonly<Record<string, Statement>>;
  readonly savepoints = "DuckDB has no savepoints: use the transaction that there is";
  readonly #outer: Engine<C>;
  readonly #inner: Engine<C>;
  readonly #connection: C;
  #inTransaction = false;
  #doomed = false;
  #over = false;

  constructor(outer: Engine<C>, connection: C) {
    this.#outer = outer;
    this.#connection = connection;
    this.#inner = {
      places: new Places(1),
      open: () => {
        if (!this.#over) return connection;
        throw new TypeError("the connection was given back");
      },
      // A transaction of ours stays as it is, aborted: what its function does next must not be
      // done outside of it.
      close: async (_, hit) => {
        if (hit && !this.#inTransaction) await rollback(connection);
      },
    };
    this.statements = statementsOf(this.#inner);
  }

  open(ctx: Context, ...args: readonly never[]): Stream {
    const [sql] = args;
    return streamOf(ctx, this.#inner, needSql(sql), (connection) => batchesOf(connection, args));
  }

  execute(ctx: Context, sql: string): Promise<unknown> {
    return operate(ctx, this.#inner, sql, (connection) => connection.run(sql));
  }

  transactionSteps(options: unknown): TransactionSteps {
    if (options !== undefined) throw new TypeError("transaction has no options in DuckDB");
    return {
      begin: async (ctx) => {
        await this.execute(ctx, "BEGIN");
        this.#inTransaction = true;
      },
      // DuckDB calls the COMMIT of an aborted transaction a success. It is not interrupted: nobody
      // could tell what became of it.
      commit: async (ctx) => {
        throwIfDone(ctx);
        await this.execute(background(), "SELECT 1").catch((error: unknown) => {
          throw isAborted(error) ? new NothingCommittedError() : error;
        });
        throwIfDone(ctx);
        await this.execute(background(), "COMMIT");
        this.#inTransaction = false;
      },
      rollback: (ctx) => this.reset(ctx),
      destroy: () => this.destroy(),
    };
  }

  async reset(ctx: Context): Promise<void> {
    await operate(ctx, this.#inner, "ROLLBACK", rollback);
    this.#inTransaction = false;
  }

  /** It cannot be: it is rolled back when the engine has let go of it. */
  destroy(): void {
    this.#doomed = true;
  }

  end(): void {
    void this.#end();
  }

  async #end(): Promise<void> {
    await this.#inner.places.take(background());
    this.#over = true;
    await this.#outer.close(this.#connection, this.#doomed);
    this.#outer.places.give();
    this.#inner.places.give();
  }
}

/** The database for several statements: a transaction's, a stream's, a function's. */
import { setImmediate } from "node:timers/promises";
import { EngineStream } from "../adapter/engine/stream.ts";
import { Places } from "../adapter/places.ts";
import type { Session, Sessions, Stream } from "../adapter/sessions.ts";
import { NothingCommittedError, type TransactionSteps } from "../adapter/transaction.ts";
import { background, throwIfDone, type Context } from "../index.ts";
import { interruptible, query, rollback, type Handle } from "./handle.ts";
import { allRows, nextRows, start, type Rows } from "./rows.ts";

export interface TransactionOptions {
  /**
   * When it locks: "deferred", the default, when it first reads or writes; "immediate" against
   * other writers at once; "exclusive" against readers too.
   */
  mode?: "deferred" | "immediate" | "exclusive";
}

const MODES = ["deferred", "immediate", "exclusive"];

export function sessionsOf(handle: Handle): Sessions<TransactionOptions> {
  return {
    async take(ctx) {
      await handle.places.take(ctx);
      try {
        handle.enter();
        return new DatabaseSession(handle);
      } catch (error) {
        handle.places.give();
        throw error;
      }
    },
  };
}

class DatabaseSession implements Session<TransactionOptions> {
  readonly #outer: Handle;
  readonly #inner: Handle;
  #inTransaction = false;
  #over = false;
  #doomed = false;

  constructor(outer: Handle) {
    this.#outer = outer;
    this.#inner = {
      ...outer,
      places: new Places(1),
      enter: () => {
        if (this.#over) throw new TypeError("the database was given back");
        // SQLite ends a transaction by itself when a write is stopped, and for other reasons.
        const gone = this.#inTransaction && outer.db.inTransaction === false;
        if (gone || this.#doomed) throw new NothingCommittedError();
      },
      leave: async (hit) => {
        if (hit && !this.#inTransaction) await rollback(outer);
        await outer.paused.end();
      },
    };
  }

  readonly statements = {
    all: (ctx: Context, sql: string, ...params: readonly unknown[]) =>
      query(ctx, this.#inner, sql, params),
  };

  open(ctx: Context, sql: string, ...params: readonly unknown[]): Stream {
    let rows: Rows | undefined;
    let ended = false;
    const { db, paused } = this.#outer;
    return new EngineStream(ctx, {
      ...interruptible(this.#inner, "libsql.stream", sql, params),
      async fetch(bound) {
        if (ended) return undefined;
        if (rows !== undefined) await setImmediate(); // not every loop waits
        ended = true; // also by an error
        try {
          rows ??= await start(bound);
          const { slice, done } = nextRows(rows);
          ended = done;
          return slice;
        } catch (error) {
          paused.note(bound, error);
          throw error;
        }
      },
      finish: async (_, end) => {
        if (rows === undefined || ended) return;
        // What a loop that is left has changed is to stay; SQLite has done it before the first row.
        const keep = end === "left" && /\breturning\b/i.test(sql);
        if (!keep) db.interrupt();
        await allRows(rows).catch(() => undefined);
      },
    });
  }

  execute(ctx: Context, sql: string): Promise<unknown> {
    return query(ctx, this.#inner, sql);
  }

  transactionSteps(options: TransactionOptions = {}): TransactionSteps {
    const { mode = "deferred", ...unknown } = options;
    if (!MODES.includes(mode)) {
      throw new TypeError(`mode is one of ${MODES.join(", ")}, got ${mode as string}`);
    }
    for (const name of Object.keys(unknown)) {
      throw new TypeError(`transaction has no option ${name}; it has mode`);
    }
    return {
      begin: async (ctx) => {
        await this.execute(ctx, `BEGIN ${mode.toUpperCase()}`);
        this.#inTransaction = true;
      },
      commit: async (ctx) => {
        throwIfDone(ctx);
        await this.execute(background(), "COMMIT");
        this.#inTransaction = false;
      },
      rollback: (ctx) => this.reset(ctx),
      destroy: () => this.destroy(),
    };
  }

  /** It is not interrupted, and waits for what is. */
  async reset(ctx: Context): Promise<void> {
    await this.#inner.places.take(ctx);
    this.#inTransaction = false;
    await rollback(this.#outer);
    await this.#outer.paused.end();
    this.#inner.places.give();
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
    await this.#outer.leave(this.#doomed);
    this.#outer.places.give();
    this.#inner.places.give();
  }
}

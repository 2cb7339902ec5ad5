/** A connection to an engine while it serves a transaction, a stream or a function. */
import { background, Semaphore, throwIfDone, type Context, type Permit } from "../../index.ts";
import { callAdapter } from "../call-adapter.ts";
import type { Session, SessionSource, Statement, Stream } from "../session.ts";
import { takePlace } from "../take-place.ts";
import type { TransactionSteps } from "../transaction.ts";

/** The source of connections for operations and sessions. */
export interface ConnectionSource<C> {
  /**
   * One place for each operation or session that may run at once. Each takes a place before `open`.
   */
  readonly places: Semaphore;
  open(): C | PromiseLike<C>;
  /**
   * Takes the connection back, before the place is given back. Rolls back if `mustRollBack`. After
   * a session, an error is reported as a process warning.
   */
  close(connection: C, mustRollBack: boolean): void | PromiseLike<void>;
}

/**
 * Returns sessions that `create` makes, each of one connection of `source`. A session releases its
 * place when it ends.
 */
export function engineSessions<C, O>(
  source: ConnectionSource<C>,
  create: (connection: C, place: Permit) => EngineSession<C, O>,
): SessionSource<O> {
  return {
    isCallersOwn: true,
    pool: source.places,
    async take(ctx) {
      const place = await takePlace(source.places, ctx);
      try {
        return create(await source.open(), place);
      } catch (error) {
        place.release();
        throw error;
      }
    },
  };
}

/**
 * A session of an engine, from the moment at which it gets its connection until it gives the
 * connection back. An engine's adapter adds the statements. They take their connection from
 * `turns`, so they run one at a time.
 */
export abstract class EngineSession<C, O = never> implements Session<O> {
  abstract readonly statements: Readonly<Record<string, Statement>>;
  protected readonly connection: C;
  /** The connection for each operation of this session, one operation at a time. */
  protected readonly turns: ConnectionSource<C>;
  /** Whether a transaction that this session began is open. */
  protected isInTransaction = false;
  readonly #source: ConnectionSource<C>;
  readonly #place: Permit;
  #isReturned = false;
  #isDestroyed = false;

  /** `place` is the place of `source` that the session holds. */
  constructor(source: ConnectionSource<C>, connection: C, place: Permit) {
    this.#source = source;
    this.#place = place;
    this.connection = connection;
    this.turns = {
      places: new Semaphore(1),
      open: () => {
        if (this.#isReturned) {
          throw new TypeError(
            "this connection was given back; await everything that uses it before its function returns",
          );
        }
        this.checkTransaction();
        return connection;
      },
      // An aborted transaction of this session stays open. The next statements of its function must
      // fail, and not run outside of the transaction.
      close: (_, wasStopped) => this.tidy(wasStopped && !this.isInTransaction),
    };
  }

  abstract open(ctx: Context, ...args: readonly never[]): Stream;
  abstract execute(ctx: Context, sql: string): Promise<unknown>;
  abstract reset(ctx: Context): Promise<void>;

  /** Returns the statement that begins a transaction. Throws a TypeError if `options` has a mistake. */
  protected abstract beginStatement(options: O | undefined): string;

  /** Leaves the connection fit for the next operation, after one of this session. */
  protected abstract tidy(mustRollBack: boolean): Promise<void>;

  /** Throws if the engine has ended the transaction of this session, before each operation. */
  protected checkTransaction(): void {
    // Does nothing by default, because some engines report that themselves.
  }

  /** Rejects if a COMMIT would succeed and yet commit nothing. */
  protected async checkCommit(): Promise<void> {
    // Does nothing by default, because in some engines such a COMMIT fails.
  }

  transactionSteps(options: O | undefined): TransactionSteps {
    const begin = this.beginStatement(options);
    return {
      begin: async (ctx) => {
        await this.execute(ctx, begin);
        this.isInTransaction = true;
      },
      // The COMMIT runs under `background()`, because after an interrupt it would be unknown
      // whether it took effect.
      commit: async (ctx) => {
        throwIfDone(ctx);
        await this.checkCommit();
        throwIfDone(ctx);
        // eslint-disable-next-line eightysix/forward-context -- a COMMIT must not be interrupted
        await this.execute(background(), "COMMIT");
        this.isInTransaction = false;
      },
      rollback: (ctx) => this.reset(ctx),
      destroy: () => this.destroy(),
    };
  }

  /** Marks the connection, which is rolled back as soon as the engine has finished with it. */
  destroy(): void {
    this.#isDestroyed = true;
  }

  protected get isDestroyed(): boolean {
    return this.#isDestroyed;
  }

  end(): void {
    void this.#end();
  }

  async #end(): Promise<void> {
    const turn = await this.turns.places.acquire(background());
    this.#isReturned = true;
    try {
      await this.#source.close(this.connection, this.#isDestroyed);
    } catch (error) {
      callAdapter("close", () => {
        throw error;
      });
    }
    this.#place.release();
    turn.release();
  }
}

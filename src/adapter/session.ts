/**
 * A session: one connection while it serves a transaction, a stream or a function. A SQL adapter
 * provides sessions, and `sessionMethods` makes its methods of them.
 */
import type { Context } from "../index.ts";
import type { Rows } from "./rows.ts";
import type { TransactionSteps } from "./transaction.ts";

/**
 * One connection while it is in use. Its statements run one at a time, in order.
 *
 * - `Options` are the options of a transaction.
 * - `Statements` is an object of the adapter's methods for statements.
 * - `Args` are the arguments of a stream, after the context, and `Row` is what it yields.
 */
export interface Session<
  Options = never,
  Statements extends object = StatementMap,
  Args extends readonly unknown[] = readonly never[],
  Row = unknown,
> {
  /**
   * The adapter's methods for statements, by name. Each stops its statement when the context ends, and
   * settles when the connection can do other work. Rejects with a TypeError for wrong arguments.
   */
  readonly statements: Statements;
  /**
   * Starts a query whose rows are read while they arrive. Throws a TypeError for wrong arguments. An
   * adapter without this method has no streams.
   */
  open?(ctx: Context, ...args: Args): Stream<Row>;
  /** The message for a transaction within a transaction, if the database has no savepoints. */
  readonly noSavepointsMessage?: string;
  /** Runs a statement of the adapter itself, such as ROLLBACK. */
  execute(ctx: Context, sql: string): Promise<unknown>;
  /** Returns the steps of a transaction with these options. Throws a TypeError if one is wrong. */
  transactionSteps(options: Options | undefined, ctx: Context): TransactionSteps;
  /** Rolls back the transaction that the connection's user has left open, if there is one. */
  reset(ctx: Context): Promise<unknown>;
  /**
   * Destroys the connection at once, even if an operation runs there. Must not throw. Also called
   * after a function of `connection` whose context has ended, because the connection of a pool would
   * hand its locks and settings to the next caller.
   */
  destroy(reason: unknown): void;
  /** Gives the connection back, if it was not destroyed. Called once, after everything else. */
  end(): void;
}

/** An adapter's method for one statement. */
export type Statement = (ctx: Context, ...args: readonly never[]) => Promise<unknown>;

/** Methods for statements, by name. */
export type StatementMap = Readonly<Record<string, Statement>>;

/** A result that is open on a session. */
export interface Stream<Row = unknown> extends Rows<Row> {
  /** Settles when the connection can do other work. Rejects as a statement does. */
  readonly ended: Promise<unknown>;
}

/** Where an adapter's sessions come from. */
export interface SessionSource<
  Options,
  Statements extends object = StatementMap,
  Args extends readonly unknown[] = readonly never[],
  Row = unknown,
> {
  /** Waits for a connection. Rejects with `ctx.err()` when `ctx` ends. */
  take(ctx: Context): Promise<Session<Options, Statements, Args, Row>>;
  /** Milliseconds that a rollback may take before its connection is destroyed. */
  readonly stopTimeout?: number;
  /**
   * Whether the connection belongs to the caller and not to a pool. `connection` then never destroys
   * it because its context has ended. The default is false.
   */
  readonly isCallersOwn?: boolean;
  /** An object that stands for the pool; see `LeaseOptions.pool`. The default is this object. */
  readonly pool?: object;
}

/** The options of `connection`. */
export interface ConnectionOptions {
  /**
   * What happens to a pooled connection if the context has ended by the time at which the function
   * and its statements have ended. "close", the default, closes the connection, because the function
   * may not have cleaned up: locks, temporary tables and settings would reach the next caller. "keep"
   * rolls back an open transaction and returns the connection to its pool, as after any other end. A
   * connection of your own is not closed for that.
   */
  after?: "close" | "keep";
}

/** The methods that every SQL adapter offers beside its own statements. */
export interface SessionMethods<
  Options,
  Statements extends object,
  Args extends readonly unknown[],
  Row,
> {
  /** Runs `fn` in a transaction. Commits when `fn` has returned, and rolls back when it has thrown. */
  transaction<T>(
    ctx: Context,
    fn: (tx: TransactionApi<Statements, Args, Row>) => T | PromiseLike<T>,
    options?: Options,
  ): Promise<Awaited<T>>;
  /**
   * Runs `fn` with a connection that nothing else uses until `fn` has settled. After the end of `ctx`,
   * `fn` can clean up under a context that is live, such as that of `shield`.
   */
  connection<T>(
    ctx: Context,
    fn: (own: ConnectionApi<Options, Statements, Args, Row>) => T | PromiseLike<T>,
    options?: ConnectionOptions,
  ): Promise<Awaited<T>>;
  /** Returns the rows of a query for a `for await` loop, which reads them while they arrive. */
  stream(ctx: Context, ...args: Args): AsyncGenerator<Row, void, undefined>;
}

/** What the function of a transaction is given. It can be used until that function ends. */
export type TransactionApi<
  Statements extends object,
  Args extends readonly unknown[],
  Row,
> = Statements &
  Pick<SessionMethods<never, Statements, Args, Row>, "stream"> & {
    /** Runs `fn` in a savepoint. */
    transaction<T>(
      ctx: Context,
      fn: (tx: TransactionApi<Statements, Args, Row>) => T | PromiseLike<T>,
    ): Promise<Awaited<T>>;
  };

/** What the function of `connection` is given. It can be used until that function ends. */
export type ConnectionApi<
  Options,
  Statements extends object,
  Args extends readonly unknown[],
  Row,
> = Statements & Pick<SessionMethods<Options, Statements, Args, Row>, "stream" | "transaction">;

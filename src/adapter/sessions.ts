/**
 * What every SQL adapter offers beyond single statements, written once: transactions, connections
 * of one's own, and results that are read as they come.
 */
import { shield, throwIfDone, type Context } from "../index.ts";
import { ConnectionScope, STREAM as A_STREAM } from "./connection-scope.ts";
import { needContext, needFunction } from "./misuse.ts";
import { rowsOf, type Rows } from "./rows.ts";
import { STOP_TIMEOUT } from "./stoppable.ts";
import { runTransaction, savepoint, type TransactionSteps } from "./transaction.ts";

/** One connection, taken from its pool or its owner. Statements run one at a time, in order. */
export interface Session<O = never> {
  /**
   * What users call, by its name; each is stopped with its context, and settles when the connection
   * can do other work. Bad arguments are rejected with a TypeError.
   */
  readonly statements: Readonly<Record<string, Statement>>;
  /** Sends a query whose rows are read as they come. Throws a TypeError for bad arguments. */
  open(ctx: Context, ...args: readonly never[]): Stream;
  /** Why there are no transactions within transactions, where there are none. */
  readonly savepoints?: string;
  /** One statement of the adapter's own, such as ROLLBACK. */
  execute(ctx: Context, sql: string): Promise<unknown>;
  /** A transaction with these options, which are checked here: throws a TypeError. */
  transactionSteps(options: O | undefined, ctx: Context): TransactionSteps;
  /** Rolls back what its borrower left open, if anything. */
  reset(ctx: Context): Promise<unknown>;
  /** Ends the connection at once, whatever runs there. Never throws. */
  destroy(reason: unknown): void;
  /** Gives it back, if it was not destroyed. Called once, last. */
  end(): void;
}

export type Statement = (ctx: Context, ...args: readonly never[]) => Promise<unknown>;

/** An open result. */
export interface Stream extends Rows<unknown> {
  /** Settles as a statement does. */
  readonly ended: Promise<unknown>;
}

/** Where an adapter's sessions come from. */
export interface Sessions<O> {
  /** Waits for a connection until `ctx` is done, and rejects with its error then. */
  take(ctx: Context): Promise<Session<O>>;
  readonly stopTimeout?: number;
}

type Fn = (connectionApi: never) => unknown;

/** The three that all have; an adapter adds its statements, and the types that its users see. */
export interface SessionMethods<O> {
  transaction(ctx: Context, fn: Fn, options?: O): Promise<unknown>;
  connection(ctx: Context, fn: Fn): Promise<unknown>;
  stream(ctx: Context, ...args: readonly never[]): AsyncGenerator<unknown, void, undefined>;
}

export function sessionMethods<O>(sessions: Sessions<O>): SessionMethods<O> {
  const { stopTimeout = STOP_TIMEOUT } = sessions;
  return {
    async transaction(ctx, fn, options) {
      needContext(ctx, TRANSACTION);
      needFunction(fn, TRANSACTION);
      return await withSession(sessions, ctx, (session) =>
        runInTransaction(ctx, session, session.transactionSteps(options, ctx), fn, 0, stopTimeout),
      );
    },
    async connection(ctx, fn) {
      needContext(ctx, CONNECTION);
      needFunction(fn, CONNECTION);
      return await withSession(sessions, ctx, (session) =>
        runOnConnection(ctx, session, fn, stopTimeout),
      );
    },
    stream(ctx, ...args) {
      needContext(ctx, STREAM);
      return rowsOf(ctx, async (scope) => {
        const session = await sessions.take(scope);
        const end = (): void => session.end();
        try {
          const stream = session.open(scope, ...args);
          // Not in `close`: a context can end while nobody reads.
          stream.ended.then(end, end);
          return stream;
        } catch (error) {
          end();
          throw error;
        }
      });
    },
  };
}

const TRANSACTION = "transaction(ctx, async (tx) => { … })";
const CONNECTION = "connection(ctx, async (db) => { … })";
const STREAM = "stream(ctx, …)";

async function withSession<O, T>(
  sessions: Sessions<O>,
  ctx: Context,
  fn: (session: Session<O>) => Promise<T>,
): Promise<T> {
  const session = await sessions.take(ctx);
  try {
    return await fn(session);
  } finally {
    session.end();
  }
}

/** Runs `fn` in a transaction, or in a savepoint of the `depth`th level. */
function runInTransaction<O>(
  ctx: Context,
  session: Session<O>,
  bracket: TransactionSteps,
  fn: Fn,
  depth: number,
  stopTimeout: number,
): Promise<unknown> {
  const work = (loan: ConnectionScope): unknown => {
    const transaction = (ctx: Context, fn: Fn, options?: unknown): Promise<unknown> => {
      if (session.savepoints !== undefined) throw new TypeError(session.savepoints);
      if (options !== undefined) {
        throw new TypeError(
          "a nested transaction takes no options: it is a savepoint, and has those of the transaction around it",
        );
      }
      return loan.run(
        ctx,
        (both) =>
          runInTransaction(both, session, nested(session, depth + 1), fn, depth + 1, stopTimeout),
        "a nested transaction",
      );
    };
    return fn(given(session, loan, transaction) as never);
  };
  return runTransaction(ctx, bracket, work, stopTimeout);
}

function nested<O>(session: Session<O>, depth: number): TransactionSteps {
  return savepoint(
    depth,
    (ctx, sql) => session.execute(ctx, sql),
    (reason) => session.destroy(reason),
  );
}

/** Runs `fn` on a connection of its own. */
async function runOnConnection<O>(
  ctx: Context,
  session: Session<O>,
  fn: Fn,
  stopTimeout: number,
): Promise<unknown> {
  throwIfDone(ctx);
  const loan = new ConnectionScope(ctx, "connection");
  const transaction = (ctx: Context, fn: Fn, options?: O): Promise<unknown> => {
    const bracket = session.transactionSteps(options, ctx);
    return loan.run(
      ctx,
      (both) => runInTransaction(both, session, bracket, fn, 0, stopTimeout),
      "a transaction",
    );
  };
  try {
    const result = await fn(given(session, loan, transaction) as never);
    await loan.end();
    return result;
  } catch (error) {
    await loan.end({ error });
    throw error;
  } finally {
    await shield(ctx, stopTimeout, (detached) => session.reset(detached)).catch((reason: unknown) =>
      session.destroy(reason),
    );
  }
}

/** What `fn` gets: the statements, `stream` and `transaction`, for as long as the loan lasts. */
function given<O>(
  session: Session<O>,
  loan: ConnectionScope,
  transaction: (ctx: Context, fn: Fn, options?: O) => Promise<unknown>,
): object {
  const statements = Object.entries(session.statements).map(([name, statement]) => [
    name,
    async (ctx: Context, ...args: readonly never[]) => {
      needContext(ctx, `${name}(ctx, …)`);
      return await loan.run(ctx, (both) => statement(both, ...args));
    },
  ]);
  return {
    ...(Object.fromEntries(statements) as Record<string, unknown>),
    async transaction(ctx: Context, fn: Fn, options?: O) {
      needContext(ctx, TRANSACTION);
      needFunction(fn, TRANSACTION);
      return await transaction(ctx, fn, options);
    },
    stream(ctx: Context, ...args: readonly never[]) {
      needContext(ctx, STREAM);
      return rowsOf(ctx, async (scope) => {
        let stream: Stream | undefined;
        const open = (both: Context): Promise<unknown> =>
          (stream = session.open(both, ...args)).ended;
        const over = loan.run(scope, open, A_STREAM);
        over.catch(ignore);
        if (stream === undefined) await over;
        const opened = stream as unknown as Stream;
        return {
          next: () => opened.next(),
          // Until the loan knows as well: others are refused before that.
          close: () => Promise.resolve(opened.close()).then(() => over.then(ignore, ignore)),
        };
      });
    },
  };
}

function ignore(): void {
  // `next` says it
}

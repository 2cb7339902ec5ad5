/**
 * The methods that every SQL adapter offers beside single statements: `transaction`, `connection` and
 * `stream`. An adapter provides a `Session` of one connection, and gets these methods for it.
 */
import { shield, throwIfDone, type Context } from "../index.ts";
import { ConnectionScope, STREAM as A_STREAM } from "./connection-scope.ts";
import { needContext, needFunction } from "./misuse.ts";
import { rowsOf, type Rows } from "./rows.ts";
import { STOP_TIMEOUT } from "./stoppable.ts";
import { runTransaction, savepoint, type TransactionSteps } from "./transaction.ts";

/** One connection while it is in use. Its statements run one at a time, in order. */
export interface Session<O = never> {
  /**
   * The adapter's methods for statements, by name. Each stops its statement when the context ends, and
   * settles when the connection can do other work. Rejects with a TypeError for wrong arguments.
   */
  readonly statements: Readonly<Record<string, Statement>>;
  /** Starts a query whose rows are read while they arrive. Throws a TypeError for wrong arguments. */
  open(ctx: Context, ...args: readonly never[]): Stream;
  /** The message for a transaction within a transaction, if the database has no savepoints. */
  readonly noSavepointsMessage?: string;
  /** Runs a statement of the adapter itself, such as ROLLBACK. */
  execute(ctx: Context, sql: string): Promise<unknown>;
  /** Returns the steps of a transaction with these options. Throws a TypeError if one is wrong. */
  transactionSteps(options: O | undefined, ctx: Context): TransactionSteps;
  /** Rolls back the transaction that the connection's user has left open, if there is one. */
  reset(ctx: Context): Promise<unknown>;
  /** Destroys the connection at once, even if an operation runs there. Must not throw. */
  destroy(reason: unknown): void;
  /** Gives the connection back, if it was not destroyed. Called once, after everything else. */
  end(): void;
}

/** An adapter's method for one statement. */
export type Statement = (ctx: Context, ...args: readonly never[]) => Promise<unknown>;

/** A result that is open on a session. */
export interface Stream extends Rows<unknown> {
  /** Settles when the connection can do other work. Rejects as a statement does. */
  readonly ended: Promise<unknown>;
}

/** Where an adapter's sessions come from. */
export interface SessionSource<O> {
  /** Waits for a connection. Rejects with `ctx.err()` when `ctx` ends. */
  take(ctx: Context): Promise<Session<O>>;
  /** Milliseconds that a rollback may take before its connection is destroyed. */
  readonly stopTimeout?: number;
}

type Fn = (connectionApi: never) => unknown;

/** The common methods. Each adapter declares their exact types for its users. */
export interface SessionMethods<O> {
  transaction(ctx: Context, fn: Fn, options?: O): Promise<unknown>;
  connection(ctx: Context, fn: Fn): Promise<unknown>;
  stream(ctx: Context, ...args: readonly never[]): AsyncGenerator<unknown, void, undefined>;
}

/** Returns `transaction`, `connection` and `stream`, each on a session of its own. */
export function sessionMethods<O>(source: SessionSource<O>): SessionMethods<O> {
  const { stopTimeout = STOP_TIMEOUT } = source;
  return {
    async transaction(ctx, fn, options) {
      needContext(ctx, TRANSACTION);
      needFunction(fn, TRANSACTION);
      return await withSession(source, ctx, (session) =>
        runInTransaction(ctx, session, session.transactionSteps(options, ctx), fn, 0, stopTimeout),
      );
    },
    async connection(ctx, fn) {
      needContext(ctx, CONNECTION);
      needFunction(fn, CONNECTION);
      return await withSession(source, ctx, (session) =>
        runOnConnection(ctx, session, fn, stopTimeout),
      );
    },
    stream(ctx, ...args) {
      needContext(ctx, STREAM);
      return rowsOf(ctx, async (streamCtx) => {
        const session = await source.take(streamCtx);
        const end = (): void => session.end();
        try {
          const stream = session.open(streamCtx, ...args);
          // The session does not end in `close`, because the context can end while the loop does
          // not ask for rows.
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
  source: SessionSource<O>,
  ctx: Context,
  fn: (session: Session<O>) => Promise<T>,
): Promise<T> {
  const session = await source.take(ctx);
  try {
    return await fn(session);
  } finally {
    session.end();
  }
}

/** Runs `fn` in a transaction, or in a savepoint if `depth` is greater than zero. */
function runInTransaction<O>(
  ctx: Context,
  session: Session<O>,
  steps: TransactionSteps,
  fn: Fn,
  depth: number,
  stopTimeout: number,
): Promise<unknown> {
  const runFunction = (connectionScope: ConnectionScope): unknown => {
    const transaction = (ctx: Context, fn: Fn, options?: unknown): Promise<unknown> => {
      if (session.noSavepointsMessage !== undefined)
        throw new TypeError(session.noSavepointsMessage);
      if (options !== undefined) {
        throw new TypeError(
          "a nested transaction takes no options: it is a savepoint, and has the options of the transaction around it",
        );
      }
      const inner = depth + 1;
      return connectionScope.run(
        ctx,
        (both) =>
          runInTransaction(both, session, savepointSteps(session, inner), fn, inner, stopTimeout),
        "a nested transaction",
      );
    };
    return fn(connectionApi(session, connectionScope, transaction) as never);
  };
  return runTransaction(ctx, steps, runFunction, stopTimeout);
}

function savepointSteps<O>(session: Session<O>, depth: number): TransactionSteps {
  return savepoint(
    depth,
    (ctx, sql) => session.execute(ctx, sql),
    (reason) => session.destroy(reason),
  );
}

/** Runs `fn` with a connection that is used by nothing else, and rolls back what it leaves open. */
async function runOnConnection<O>(
  ctx: Context,
  session: Session<O>,
  fn: Fn,
  stopTimeout: number,
): Promise<unknown> {
  throwIfDone(ctx);
  const connectionScope = new ConnectionScope(ctx, "connection");
  const transaction = (ctx: Context, fn: Fn, options?: O): Promise<unknown> => {
    const steps = session.transactionSteps(options, ctx);
    return connectionScope.run(
      ctx,
      (both) => runInTransaction(both, session, steps, fn, 0, stopTimeout),
      "a transaction",
    );
  };
  try {
    const result = await fn(connectionApi(session, connectionScope, transaction) as never);
    await connectionScope.end();
    return result;
  } catch (error) {
    await connectionScope.end({ error });
    throw error;
  } finally {
    await shield(ctx, stopTimeout, (detached) => session.reset(detached)).catch((reason: unknown) =>
      session.destroy(reason),
    );
  }
}

/** Returns what `fn` is called with: the statements, `transaction` and `stream`, within the scope. */
function connectionApi<O>(
  session: Session<O>,
  connectionScope: ConnectionScope,
  transaction: (ctx: Context, fn: Fn, options?: O) => Promise<unknown>,
): object {
  const statements = Object.entries(session.statements).map(([name, statement]) => [
    name,
    async (ctx: Context, ...args: readonly never[]) => {
      needContext(ctx, `${name}(ctx, …)`);
      return await connectionScope.run(ctx, (both) => statement(both, ...args));
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
      return rowsOf(ctx, async (streamCtx) => {
        let stream: Stream | undefined;
        const open = (both: Context): Promise<unknown> =>
          (stream = session.open(both, ...args)).ended;
        const ended = connectionScope.run(streamCtx, open, A_STREAM);
        ended.catch(ignore);
        if (stream === undefined) await ended;
        const opened = stream as unknown as Stream;
        return {
          next: () => opened.next(),
          // Also waits for the connection scope, which rejects other operations until it knows that
          // the stream has ended.
          close: () => Promise.resolve(opened.close()).then(() => ended.then(ignore, ignore)),
        };
      });
    },
  };
}

function ignore(): void {
  // The stream's `next` reports the error.
}

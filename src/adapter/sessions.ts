/**
 * The methods that every SQL adapter offers beside single statements: `transaction`, `connection` and
 * `stream`. An adapter provides a `Session` of one connection, and gets these methods for it.
 */
import { shield, throwIfDone, type Context } from "../index.ts";
import { callAdapter } from "./call-adapter.ts";
import {
  CONNECTION,
  connectionApi,
  openStream,
  STREAM,
  TRANSACTION,
  type Fn,
} from "./connection-api.ts";
import { ConnectionScope } from "./connection-scope.ts";
import { needContext, needFunction } from "./misuse.ts";
import { rowsOf } from "./rows.ts";
import type { Session, SessionMethods, SessionSource, StatementMap } from "./session.ts";
import { STOP_TIMEOUT } from "./stoppable.ts";
import { runTransaction, savepoint, type TransactionSteps } from "./transaction.ts";

/**
 * Returns `transaction`, `connection` and `stream`, each on a session of its own. Their types follow
 * from the session: its statements, the options of `transactionSteps`, and the stream of `open`.
 *
 * @example
 * const db = { query, ...sessionMethods({ take: (ctx) => openSession(ctx, pool) }) };
 * await db.transaction(ctx, async (tx) => {
 *   await tx.query(ctx, "delete from carts");
 * });
 */
export function sessionMethods<
  Options = never,
  Statements extends object = StatementMap,
  Args extends readonly unknown[] = never,
  Row = never,
>(
  source: SessionSource<Options, Statements, Args, Row>,
): SessionMethods<Options, Statements, Args, Row> {
  // The code below does not depend on what the statements are.
  return untypedMethods(source as unknown as SessionSource<Options>) as unknown as SessionMethods<
    Options,
    Statements,
    Args,
    Row
  >;
}

interface UntypedMethods<O> {
  transaction(ctx: Context, fn: Fn, options?: O): Promise<unknown>;
  connection(ctx: Context, fn: Fn): Promise<unknown>;
  stream(ctx: Context, ...args: readonly never[]): AsyncGenerator<unknown, void, undefined>;
}

function untypedMethods<O>(source: SessionSource<O>): UntypedMethods<O> {
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
        const end = (): void => callAdapter("end", () => session.end());
        try {
          const stream = openStream(session, streamCtx, args);
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

async function withSession<O, T>(
  source: SessionSource<O>,
  ctx: Context,
  fn: (session: Session<O>) => Promise<T>,
): Promise<T> {
  const session = await source.take(ctx);
  try {
    return await fn(session);
  } finally {
    callAdapter("end", () => session.end());
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
          runInTransaction(
            both,
            session,
            savepointSteps(session, inner, stopTimeout),
            fn,
            inner,
            stopTimeout,
          ),
        "a nested transaction",
      );
    };
    return fn(connectionApi(session, connectionScope, transaction) as never);
  };
  return runTransaction(ctx, steps, runFunction, stopTimeout);
}

function savepointSteps<O>(
  session: Session<O>,
  depth: number,
  stopTimeout: number,
): TransactionSteps {
  return savepoint(
    depth,
    (ctx, sql) => session.execute(ctx, sql),
    (reason) => session.destroy(reason),
    stopTimeout,
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
      callAdapter("destroy", () => session.destroy(reason)),
    );
  }
}

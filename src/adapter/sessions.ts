/**
 * The methods that every SQL adapter offers beside single statements: `transaction`, `connection` and
 * `stream`. An adapter provides a `Session` of one connection, and gets these methods for it.
 */
import type { Context } from "../index.ts";
import { callAdapter } from "./call-adapter.ts";
import { CONNECTION, openStream, STREAM, TRANSACTION, type Fn } from "./connection-api.ts";
import { handOverAll } from "./hand-over.ts";
import { HeldConnection } from "./held-connection.ts";
import { needContext, needFunction } from "./misuse.ts";
import { rowsOf, type Rows } from "./rows.ts";
import {
  keepsConnection,
  runInTransaction,
  runOnConnection,
  type SessionInUse,
} from "./run-function.ts";
import type { ConnectionOptions, SessionMethods, SessionSource, StatementMap } from "./session.ts";
import { STOP_TIMEOUT } from "./stoppable.ts";

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
  connection(ctx: Context, fn: Fn, options?: ConnectionOptions): Promise<unknown>;
  stream(ctx: Context, ...args: readonly never[]): AsyncGenerator<unknown, void, undefined>;
}

function untypedMethods<O>(source: SessionSource<O>): UntypedMethods<O> {
  return handOverAll<UntypedMethods<O>>({
    async transaction(ctx, fn, options) {
      needContext(ctx, TRANSACTION);
      needFunction(fn, TRANSACTION);
      return await withSession(source, ctx, "transaction(ctx, …)", (inUse) =>
        runInTransaction(ctx, inUse, inUse.session.transactionSteps(options, ctx), fn, 0),
      );
    },
    async connection(ctx, fn, options) {
      needContext(ctx, CONNECTION);
      needFunction(fn, CONNECTION);
      const keeps = keepsConnection(options) || source.isCallersOwn === true;
      return await withSession(source, ctx, "connection(ctx, …)", (inUse) =>
        runOnConnection(ctx, inUse, fn, keeps),
      );
    },
    stream(ctx, ...args) {
      needContext(ctx, STREAM);
      return rowsOf(ctx, (streamCtx) => openOwnStream(source, ctx, streamCtx, args));
    },
  });
}

/**
 * Opens a stream on a session of its own, which ends when the stream has ended. `streamCtx` is that of
 * `rowsOf` for the caller's `ctx`.
 */
async function openOwnStream<O>(
  source: SessionSource<O>,
  ctx: Context,
  streamCtx: Context,
  args: readonly never[],
): Promise<Rows<unknown>> {
  const session = await source.take(streamCtx);
  const held = new HeldConnection(source.pool ?? source, ctx, STREAM);
  const end = (): void => callAdapter("end", () => session.end());
  try {
    const stream = openStream(session, streamCtx, args);
    // The session does not end in `close`, because the context can end while the loop does not ask
    // for rows.
    stream.ended.then(end, end);
    void held.callFunction(() => stream.ended.then(ignore, ignore));
    return { next: () => held.run(() => stream.next()), close: () => stream.close() };
  } catch (error) {
    end();
    throw error;
  }
}

async function withSession<O, T>(
  source: SessionSource<O>,
  ctx: Context,
  call: string,
  fn: (inUse: SessionInUse<O>) => Promise<T>,
): Promise<T> {
  const { stopTimeout = STOP_TIMEOUT } = source;
  const session = await source.take(ctx);
  const held = new HeldConnection(source.pool ?? source, ctx, call);
  try {
    return await fn({ session, held, stopTimeout });
  } finally {
    callAdapter("end", () => session.end());
  }
}

function ignore(): void {
  // The stream's `next` reports the error.
}

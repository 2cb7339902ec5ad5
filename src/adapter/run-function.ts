/** Runs the functions of `transaction` and of `connection` on a session. */
import { throwIfDone, type Context } from "../index.ts";
import { checkOptions, cleanUp, show } from "../internal.ts";
import { callAdapter } from "./call-adapter.ts";
import { connectionApi, type Fn } from "./connection-api.ts";
import { ConnectionScope } from "./connection-scope.ts";
import type { HeldConnection } from "./held-connection.ts";
import type { ConnectionOptions, Session } from "./session.ts";
import { runTransaction, savepoint, type TransactionSteps } from "./transaction.ts";

/** A session while one call uses it. */
export interface SessionInUse<O> {
  readonly session: Session<O>;
  readonly held: HeldConnection;
  readonly stopTimeout: number;
}

/** Runs `fn` in a transaction, or in a savepoint if `depth` is greater than zero. */
export function runInTransaction<O>(
  ctx: Context,
  inUse: SessionInUse<O>,
  steps: TransactionSteps,
  fn: Fn,
  depth: number,
): Promise<unknown> {
  const { session, held, stopTimeout } = inUse;
  const runFunction = (connectionScope: ConnectionScope): Promise<unknown> => {
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
        (both) => runInTransaction(both, inUse, savepointSteps(inUse, inner), fn, inner),
        "a nested transaction",
      );
    };
    const tx = connectionApi(session, held, connectionScope, transaction);
    return held.callFunction(() => fn(tx as never));
  };
  return runTransaction(ctx, steps, runFunction, stopTimeout);
}

function savepointSteps<O>(
  { session, stopTimeout }: SessionInUse<O>,
  depth: number,
): TransactionSteps {
  return savepoint(
    depth,
    (ctx, sql) => session.execute(ctx, sql),
    (reason) => session.destroy(reason),
    stopTimeout,
  );
}

/** Returns whether `connection` gives its connection back although its context has ended. */
export function keepsConnection(options: ConnectionOptions | undefined): boolean {
  checkOptions(options, "connection(ctx, fn, options)", ["after"]);
  const { after = "close" } = options ?? {};
  if (after !== "close" && after !== "keep") {
    throw new TypeError(
      `connection(ctx, fn, { after }) takes "close" or "keep" for after, got ${show(after)}`,
    );
  }
  return after === "keep";
}

/**
 * Runs `fn` with a connection that is used by nothing else. Afterwards rolls back what `fn` left open.
 * Unless it `keeps` the connection, it destroys the connection if `ctx` has ended before `fn` and all
 * that `fn` started: then `fn` may not have cleaned up.
 */
export async function runOnConnection<O>(
  ctx: Context,
  inUse: SessionInUse<O>,
  fn: Fn,
  keeps: boolean,
): Promise<unknown> {
  throwIfDone(ctx);
  const { session, held, stopTimeout } = inUse;
  const connectionScope = new ConnectionScope(ctx, "connection", stopTimeout);
  const transaction = (ctx: Context, fn: Fn, options?: O): Promise<unknown> => {
    const steps = session.transactionSteps(options, ctx);
    return connectionScope.run(
      ctx,
      (both) => runInTransaction(both, inUse, steps, fn, 0),
      "a transaction",
    );
  };
  try {
    const own = connectionApi(session, held, connectionScope, transaction);
    const result = await held.callFunction(() => fn(own as never));
    await connectionScope.end();
    return result;
  } catch (error) {
    await connectionScope.end({ error });
    throw error;
  } finally {
    const destroy = (reason: unknown): void => {
      callAdapter("destroy", () => session.destroy(reason));
    };
    const err = keeps ? undefined : ctx.err();
    if (err !== undefined) destroy(err);
    else await cleanUp(ctx, stopTimeout, (detached) => session.reset(detached)).catch(destroy);
  }
}

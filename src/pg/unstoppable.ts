/** Statements that end a transaction: they go through when their context is done, and are bounded. */
import { afterFunc, isContextError, withCancel, withoutCancel, type Context } from "../index.ts";
import { runStoppable } from "../adapter/stoppable.ts";
import type { Callback, Client, Result } from "./driver.ts";

/**
 * Runs a statement to its end, whatever becomes of `ctx`; but from when `ctx` is done, the server
 * has `stopTimeout` milliseconds to answer. After that, and when the connection is lost, the connection is
 * closed, which rolls back too, and the promise rejects with `ctx.err()`.
 */
export async function runUnstoppable(
  ctx: Context,
  client: Client,
  what: string,
  send: (answer: Callback) => void,
  stopTimeout: number,
): Promise<Result> {
  const bound = withCancel(withoutCancel(ctx));
  const takeBack = afterFunc(ctx, (err) => bound.cancel(err));
  let over = (): void => undefined;
  const end = new Promise<void>((resolve) => (over = resolve));
  try {
    return await runStoppable<Result>(
      bound,
      {
        kind: "pg.query",
        what,
        start(settle) {
          send((error, result) => {
            if (error) settle.reject(error);
            else settle.resolve(result);
            over();
          });
          return undefined;
        },
        stop: () => end, // by waiting: a rollback that is canceled is no rollback
        isStop: () => false,
        destroy: () => destroyClient(client),
      },
      stopTimeout,
    );
  } catch (error) {
    const err = ctx.err();
    throw err !== undefined && (isContextError(error) || !isAnswer(error)) ? err : error;
  } finally {
    takeBack();
    bound.cancel();
  }
}

/** Whether the server said so, and not the driver. */
export function isAnswer(error: unknown): boolean {
  return typeof (error as { severity?: unknown } | null)?.severity === "string";
}

/** Ends the connection at once. */
export function destroyClient(client: Client): void {
  // First `end`, which makes the end of the socket an expected one and no "error" event.
  void client.end();
  client.connection.stream.destroy();
}

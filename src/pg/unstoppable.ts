/** Statements that end a transaction. They run although their context is done, for a bounded time. */
import { afterFunc, isContextError, withCancel, withoutCancel, type Context } from "../index.ts";
import { runStoppable } from "../adapter/stoppable.ts";
import { isServerError, type Callback, type Client, type Result } from "./driver.ts";
import { destroyClient } from "./end-client.ts";

/**
 * Runs a statement without stopping it. From the moment at which `ctx` is done, the server has
 * `stopTimeout` milliseconds to answer. If it does not answer in that time, the connection is
 * destroyed, which also rolls back, and the promise rejects with `ctx.err()`. It also rejects with
 * `ctx.err()` if the connection is lost after `ctx` is done.
 */
export async function runUnstoppable(
  ctx: Context,
  client: Client,
  text: string,
  send: (onResult: Callback) => void,
  stopTimeout: number,
): Promise<Result> {
  const detached = withCancel(withoutCancel(ctx));
  const removeCancel = afterFunc(ctx, (err) => detached.cancel(err));
  let markAnswered = (): void => undefined;
  const answered = new Promise<void>((resolve) => (markAnswered = resolve));
  try {
    return await runStoppable<Result>(
      detached,
      {
        kind: "pg.query",
        what: text,
        start(settle) {
          send((error, result) => {
            if (error) settle.reject(error);
            else settle.resolve(result);
            markAnswered();
          });
          return undefined;
        },
        stop: () => answered, // a stop only waits: a canceled rollback would roll nothing back
        isStop: () => false,
        destroy: () => destroyClient(client),
      },
      stopTimeout,
    );
  } catch (error) {
    const err = ctx.err();
    throw err !== undefined && (isContextError(error) || !isServerError(error)) ? err : error;
  } finally {
    removeCancel();
    detached.cancel();
  }
}

/** Statements that end a transaction. They run although their context is done, for a bounded time. */
import type { Context } from "../index.ts";
import { runUnstoppable } from "../adapter/index.ts";
import { isServerError, type Callback, type Client, type Result } from "./driver.ts";
import { destroyClient } from "./end-client.ts";

/**
 * Runs a statement without stopping it, as `runUnstoppable` does. If the server does not answer in
 * time, the connection is destroyed, which also rolls back.
 */
export function runUnstoppableStatement(
  ctx: Context,
  client: Client,
  text: string,
  send: (onResult: Callback) => void,
  stopTimeout: number,
): Promise<Result> {
  return runUnstoppable<Result>(
    ctx,
    {
      kind: "pg.query",
      what: text,
      start(resolver) {
        send((error, result) => {
          if (error) resolver.reject(error, { answered: isServerError(error) });
          else resolver.resolve(result);
        });
        return undefined;
      },
      destroy: () => destroyClient(client),
    },
    stopTimeout,
  );
}

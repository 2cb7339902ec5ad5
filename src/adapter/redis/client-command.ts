/** A command on the user's own client. */
import type { Context } from "../../index.ts";
import { runStoppable } from "../stoppable.ts";

export interface ClientCommand<T> {
  readonly kind: string;
  /** The name of the command, such as "GET". Never its arguments, which are the users' data. */
  readonly what: string;
  send(): PromiseLike<T>;
  /**
   * Removes the command from the client's queue if it was not written yet. The command then fails
   * with an error that `isWithdrawn` recognizes. May be called repeatedly.
   */
  withdraw(): void;
  isWithdrawn(error: unknown): boolean;
}

/**
 * Runs a command on the user's client. Rejects as `runStoppable` does.
 *
 * A command that was written cannot be stopped, and most commands end within microseconds. So this
 * function waits for the answer for up to the stop timeout, and drops an answer that comes later.
 * The client is never destroyed, because it belongs to the user.
 */
export function runOnClient<T>(
  ctx: Context,
  command: ClientCommand<T>,
  stopTimeout: number,
): Promise<T> {
  const { kind, what } = command;
  return runStoppable(
    ctx,
    {
      kind,
      what,
      start: () => command.send(),
      stop() {
        command.withdraw();
        return Promise.resolve("proven" as const); // only what was not written is withdrawn
      },
      isStop: (error) => command.isWithdrawn(error),
      destroy: () => undefined,
    },
    stopTimeout,
  );
}

/** A client of `pg`, as the rules of a bound connection use it. */
import type { Context } from "../../index.ts";
import { runStoppable, type Settings } from "../../adapter/index.ts";
import type { DriverConnection } from "../../adapter/orm/driver-connection.ts";
import { ClientQuery } from "../client-query.ts";
import type { PoolClient, Result } from "../driver.ts";
import { destroyPoolClient, ignoreError } from "../end-client.ts";
import { textOf } from "../running-query.ts";
import { isOutsideTransaction, trackTransactionStatus } from "../transaction-status.ts";
import type { QueryArguments } from "../types.ts";
import { runUnstoppableStatement } from "../unstoppable.ts";

export class PgConnection implements DriverConnection<QueryArguments, Result> {
  readonly #client: PoolClient;
  readonly #settings: Settings;
  #onEnd: () => void = ignoreError;
  /** The function by which the pool ends this lease. Each lease has its own. */
  #release: () => void = ignoreError;

  constructor(client: PoolClient, settings: Settings) {
    this.#client = client;
    this.#settings = settings;
    trackTransactionStatus(client);
  }

  /** Calls `onEnd` if the connection ends before the client goes back to its pool. */
  watchLease(onEnd: () => void): void {
    this.#unwatch(); // The last lease may have ended without the proxy's `release`.
    this.#onEnd = onEnd;
    this.#release = this.#client.release.bind(this.#client);
    this.#client.connection.once("end", onEnd);
    // Without a listener, the error of a broken connection would end the process. The statement that
    // runs rejects with the same error, and so does the next statement if none runs.
    this.#client.on("error", ignoreError);
  }

  #unwatch(): void {
    this.#client.connection.removeListener("end", this.#onEnd);
    this.#client.removeListener("error", ignoreError);
  }

  textOf(args: QueryArguments): string {
    return textOf(args);
  }

  run(ctx: Context, args: QueryArguments): Promise<Result> {
    const query = new ClientQuery(ctx, args, this.#settings, this.#client);
    return runStoppable(ctx, query, this.#settings.stopTimeout);
  }

  runUnstoppable(ctx: Context, args: QueryArguments): Promise<Result> {
    const [query, values] = args;
    return runUnstoppableStatement(
      ctx,
      this.#client,
      textOf(args),
      (onResult) => {
        const send = this.#client.query.bind(this.#client) as (...args: unknown[]) => void;
        // pg would leave the callback in the caller's object, so it gets a copy.
        send(typeof query === "string" ? query : { ...query }, values, onResult);
      },
      this.#settings.stopTimeout,
    );
  }

  rollback(ctx: Context): Promise<Result> {
    return this.runUnstoppable(ctx, ["ROLLBACK"]);
  }

  hasRolledBack(result: Result): boolean {
    const { command } = (Array.isArray(result) ? result[0] : result) as { command?: unknown };
    return command === "ROLLBACK";
  }

  isTransactionOpen(): boolean {
    return !isOutsideTransaction(this.#client);
  }

  isBusy(): boolean {
    return !this.#client.readyForQuery;
  }

  giveBack(reason?: unknown): void {
    // The pool listens to "error" from `release` on.
    this.#client.release(reason as Error | boolean | undefined);
    this.#unwatch();
  }

  releaseAgain(): void {
    this.#release(); // throws the pool's own error
  }

  destroy(): void {
    destroyPoolClient(this.#client);
    this.#unwatch();
  }
}

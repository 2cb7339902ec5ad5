/** A query on the first connection of a pool that is free. */
import type { Context } from "../index.ts";
import { serverTimeoutFor } from "../adapter/postgresql/server-timeout.ts";
import {
  explainWait,
  rollBackLeftover,
  runStoppable,
  showCaller,
  type Settings,
} from "../adapter/index.ts";
import { ClientQuery } from "./client-query.ts";
import type { Pool, PoolClient, Query, Result } from "./driver.ts";
import { destroyPoolClient } from "./end-client.ts";
import { holdClient, requestClient, returnClient, type ClientWaiter } from "./lease-client.ts";
import { RunningQuery, textOf } from "./running-query.ts";
import { applyServerTimeout } from "./server-timeout.ts";
import { isOutsideTransaction } from "./transaction-status.ts";
import type { QueryArguments } from "./types.ts";

/** Runs one query on a client of `pool`. */
export function runPoolQuery(
  ctx: Context,
  args: QueryArguments,
  settings: Settings,
  pool: Pool,
): Promise<Result> {
  const query = new PoolQuery(ctx, args, settings, pool);
  return runStoppable(ctx, query, settings.stopTimeout).catch((error: unknown) => {
    if (!query.wasGranted && error === ctx.err()) explainWait(pool, ctx);
    return showCaller(error);
  });
}

/**
 * Leases a client, runs one query there and returns the client. The pool serves queries in order.
 */
class PoolQuery extends RunningQuery implements ClientWaiter {
  /** Whether the pool has granted a client. */
  wasGranted = false;
  readonly #pool: Pool;
  #client: PoolClient | undefined;

  constructor(ctx: Context, args: QueryArguments, settings: Settings, pool: Pool) {
    super(ctx, args, settings);
    this.#pool = pool;
  }

  protected override requestConnection(): void {
    requestClient(this.#pool, this);
  }

  fail(error: Error): void {
    this.onResult(error);
  }

  accept(client: PoolClient): boolean {
    if (this.hasEnded || this.ctx.err() !== undefined) {
      this.rejectAsDone();
      return false;
    }
    this.wasGranted = true;
    try {
      holdClient(client);
      this.#client = client;
      const query = this.createQuery(client);
      this.#limit(query);
      // The client is busy if a "connect" listener of the pool has sent a query there.
      if (client.readyForQuery) {
        this.markSent(client);
        client.query(query);
      } else this.enqueue(client, query);
    } catch (error) {
      this.onResult(error as Error);
    }
    return true;
  }

  #limit(query: Query): void {
    if (!this.settings.serverTimeout) return;
    const ms = serverTimeoutFor(this.ctx, this.settings.stopTimeout);
    if (ms !== undefined) applyServerTimeout(query, ms);
  }

  protected override returnConnection(mustClose: boolean): void {
    const client = this.#client;
    if (client === undefined) return;
    if (mustClose || !this.isReusable) this.destroyConnection();
    else if (isOutsideTransaction(client)) returnClient(client);
    else void this.#rollBack(client);
  }

  /** Rolls back the transaction that the query has left open, and then returns the client. */
  async #rollBack(client: PoolClient): Promise<void> {
    const { settings } = this;
    const rollback = (ctx: Context): Promise<unknown> =>
      runStoppable(ctx, new ClientQuery(ctx, ["ROLLBACK"], settings, client), settings.stopTimeout);
    const leftover = { what: textOf(this.args), rollback, destroy: () => this.destroyConnection() };
    await rollBackLeftover(this.ctx, leftover, settings.stopTimeout);
    if (this.#client !== undefined) returnClient(client);
  }

  protected override destroyConnection(): void {
    const client = this.#client;
    this.#client = undefined;
    if (client !== undefined) destroyPoolClient(client);
  }
}

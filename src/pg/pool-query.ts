/** A query on the first connection of a pool that is free. */
import type { Context } from "../index.ts";
import { serverTimeoutFor } from "../adapter/postgresql/server-timeout.ts";
import type { Settings } from "../adapter/index.ts";
import type { Pool, PoolClient, Query } from "./driver.ts";
import { destroyPoolClient } from "./end-client.ts";
import { holdClient, requestClient, returnClient, type ClientWaiter } from "./lease-client.ts";
import { RunningQuery } from "./running-query.ts";
import { applyServerTimeout } from "./server-timeout.ts";
import type { QueryArguments } from "./types.ts";

/**
 * Leases a client, runs one query there and returns the client. The pool serves queries in order.
 */
export class PoolQuery extends RunningQuery implements ClientWaiter {
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

  protected override returnConnection(): void {
    const client = this.#client;
    if (client === undefined) return;
    if (!this.isReusable || (this.cancelSent && this.settings.destroyOnCancel)) {
      this.destroyConnection();
    } else returnClient(client);
  }

  protected override destroyConnection(): void {
    const client = this.#client;
    this.#client = undefined;
    if (client !== undefined) destroyPoolClient(client);
  }
}

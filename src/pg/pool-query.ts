/** A query on whichever connection of a pool is free first. */
import type { Context } from "../index.ts";
import type { Pool, PoolClient, Query } from "./driver.ts";
import { destroyClient, giveBack, holdClient } from "./held-client.ts";
import type { Settings } from "../adapter/settings.ts";
import { RunningQuery } from "./running-query.ts";
import { serverTimeoutFor } from "../adapter/postgresql/server-timeout.ts";
import { applyServerTimeout, resend } from "./server-timeout.ts";
import type { QueryArguments } from "./types.ts";

/**
 * First come, first served. A Pool cannot take a waiter back, so one that has left is granted its
 * connection in its turn all the same, and returns it untouched.
 */
export class PoolQuery extends RunningQuery {
  readonly #pool: Pool;
  #client: PoolClient | undefined;
  #limited = false;

  constructor(ctx: Context, args: QueryArguments, settings: Settings, pool: Pool) {
    super(ctx, args, settings);
    this.#pool = pool;
  }

  // Not through `lease`, whose promises every query would pay for.
  protected override obtain(): void {
    this.#pool.connect((error, client) => {
      if (client === undefined) this.answer(error);
      else if (this.hasLeft || this.ctx.err() !== undefined) {
        // Not from within the grant: a release grants the next, which would recurse once for each
        // of the waiters that have left.
        queueMicrotask(() => client.release());
        this.leave();
      } else this.#use(client);
    });
  }

  #use(client: PoolClient): void {
    try {
      holdClient(client);
      this.#client = client;
      const query = this.make(client);
      this.#limit(query, client);
      // Not so while what a Pool's "connect" listener has sent there is running.
      if (client.readyForQuery) {
        this.sentTo(client);
        client.query(query);
      } else this.queue(client, query);
    } catch (error) {
      this.answer(error as Error);
    }
  }

  #limit(query: Query, client: PoolClient): void {
    if (!this.settings.serverTimeout) return;
    const ms = serverTimeoutFor(this.ctx, this.settings.stopTimeout);
    if (ms === undefined) return;
    this.#limited = true;
    applyServerTimeout(query, client.connection, ms);
  }

  protected override retry(error: Error): boolean {
    const client = this.#client;
    if (!this.#limited || this.canceled || client === undefined) return false;
    const how = resend(error, client.connection);
    this.#limited = false;
    if (how === undefined) return false;
    const query = this.make(client);
    if (how === "limited") this.#limit(query, client);
    client.query(query);
    return true;
  }

  protected override giveBack(): void {
    const client = this.#client;
    if (client === undefined) return;
    if (!this.reusable || (this.canceled && this.settings.destroyOnCancel)) {
      this.destroyConnection();
    } else giveBack(client);
  }

  override destroyConnection(): void {
    const client = this.#client;
    this.#client = undefined;
    if (client !== undefined) destroyClient(client);
  }
}

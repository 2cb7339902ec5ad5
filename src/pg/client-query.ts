/** A query on a client that others use too. */
import type { Context } from "../index.ts";
import type { Client } from "./driver.ts";
import type { Settings } from "../adapter/settings.ts";
import { RunningQuery } from "./running-query.ts";
import type { QueryArguments } from "./types.ts";

/**
 * A client sends one query at a time, in the order of its `query` calls, so a cancel request is
 * meant for ours only from the moment that ours is sent. pg tells nobody of that moment but the
 * query itself: so we make the query, with pg's own class, and hand it over.
 */
export class ClientQuery extends RunningQuery {
  readonly #client: Client;

  constructor(ctx: Context, args: QueryArguments, settings: Settings, client: Client) {
    super(ctx, args, settings);
    this.#client = client;
  }

  protected override obtain(): void {
    this.queue(this.#client, this.make(this.#client));
  }

  protected override giveBack(): void {
    if (this.canceled && this.settings.destroyOnCancel) this.destroyConnection();
  }

  override destroyConnection(): void {
    // First `end`, which makes the end of the socket an expected one and no "error" event.
    void this.#client.end();
    this.#client.connection.stream.destroy();
  }
}

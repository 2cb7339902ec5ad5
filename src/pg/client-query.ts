/** A query on a client that other code may use too. */
import type { Context } from "../index.ts";
import type { Settings } from "../adapter/index.ts";
import { CLOSED_AFTER_STOP } from "../adapter/postgresql/canceled-query.ts";
import type { Client } from "./driver.ts";
import { destroyClient } from "./end-client.ts";
import { RunningQuery } from "./running-query.ts";
import type { QueryArguments } from "./types.ts";

/** Clients that were closed after a stop. */
const closedAfterStop = new WeakSet<Client>();

/**
 * A client sends one query at a time, in the order of the `query` calls. A cancel request hits this
 * query only after the query was sent, and pg reports that moment only to the query object. So this
 * class creates the query object, with pg's own class, and hands it to pg.
 */
export class ClientQuery extends RunningQuery {
  protected readonly client: Client;

  constructor(ctx: Context, args: QueryArguments, settings: Settings, client: Client) {
    super(ctx, args, settings);
    this.client = client;
  }

  protected override requestConnection(): void {
    if (closedAfterStop.has(this.client)) throw new Error(CLOSED_AFTER_STOP);
    this.enqueue(this.client, this.createQuery(this.client));
  }

  protected override returnConnection(mustClose: boolean): void {
    if (!mustClose) return;
    closedAfterStop.add(this.client);
    this.destroyConnection();
  }

  protected override destroyConnection(): void {
    destroyClient(this.client);
  }
}

/** A COMMIT. */
export class CommitQuery extends ClientQuery {
  protected override readonly mustFinish = true;
}

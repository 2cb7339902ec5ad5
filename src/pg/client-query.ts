/** A query on a client that others use too. */
import type { Context } from "../index.ts";
import { queryClassOf, type Client } from "./driver.ts";
import type { QueryArguments } from "./types.ts";
import { RunningQuery } from "./running-query.ts";

/**
 * A client sends one query at a time, in the order of its `query` calls, so a cancel request is
 * meant for ours only from the moment that ours is sent. pg tells nobody of that moment but the
 * query itself: so we make the query, with pg's own class, and hand it over.
 */
export class ClientQuery extends RunningQuery {
  readonly #client: Client;
  readonly #destroyOnCancel: boolean;

  constructor(ctx: Context, args: QueryArguments, client: Client, destroyOnCancel: boolean) {
    super(ctx, args);
    this.#client = client;
    this.#destroyOnCancel = destroyOnCancel;
  }

  protected override obtain(): void {
    const QueryClass = queryClassOf(this.#client);
    if (QueryClass === undefined) return;
    const query = new QueryClass(...this.args);
    // The one option that pg reads from what it is given and not from the query that it makes.
    if (typeof this.args[0] === "object") query.query_timeout = this.args[0].query_timeout;
    query.callback = this.answer;
    const submit = query.submit.bind(query);
    query.submit = (connection) => {
      const err = this.ctx.err();
      // An error from here is the query's outcome, and nothing is sent.
      if (err !== undefined || this.hasLeft) return err ?? new Error("left");
      this.sentTo(this.#client);
      return submit(connection);
    };
    this.#client.query(query);
  }

  protected override giveBack(): void {
    if (this.canceled && this.#destroyOnCancel) this.destroyConnection();
  }

  override destroyConnection(): void {
    // First `end`, which makes the end of the socket an expected one and no "error" event.
    void this.#client.end();
    this.#client.connection.stream.destroy();
  }
}

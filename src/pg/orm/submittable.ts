/**
 * The objects that pg takes in place of SQL: a `pg.Query`, a cursor of pg-cursor, a stream of
 * pg-query-stream. The caller has created these objects and waits for their own events, so they are
 * observed and not wrapped.
 */
import type { Context } from "../../index.ts";
import { runStoppable, type Settings } from "../../adapter/index.ts";
import { ClientQuery } from "../client-query.ts";
import { isServerError, type Client, type Connection } from "../driver.ts";

export interface Submittable {
  readonly text?: unknown;
  submit(connection: Connection): Error | null | undefined;
  handleError(error: Error, connection: Connection): void;
  handleReadyForQuery(connection: Connection): void;
  handleRowDescription?(message: { fields: unknown }): void;
  callback?: unknown;
  /** The cursor of a pg-query-stream. */
  readonly cursor?: unknown;
}

/**
 * A submittable that is not a cursor, such as a `pg.Query`. pg has no hook for its start and its
 * end, so its `submit` and two of its handlers are replaced.
 *
 * The submittable receives its end at once, and does not wait until the cancel request has ended,
 * because it may have to answer the server. The queries behind it wait until the cancel request has
 * ended.
 */
export class WatchedQuery extends ClientQuery {
  readonly #query: Submittable;

  constructor(ctx: Context, query: Submittable, settings: Settings, client: Client) {
    super(ctx, [typeof query.text === "string" ? query.text : ""], settings, client);
    this.#query = query;
  }

  /** Makes the query stop with the context. The caller submits it afterwards. */
  watch(): void {
    const query = this.#query;
    const submit = query.submit.bind(query);
    const handleError = query.handleError.bind(query);
    const handleReadyForQuery = query.handleReadyForQuery.bind(query);
    query.submit = (connection) => {
      const err = this.ctx.err();
      if (err !== undefined) return err;
      this.markSent(this.client);
      return submit(connection);
    };
    query.handleError = (error, connection) => {
      const isFromStop = this.wasStopped && (this.isStop(error) || !isServerError(error));
      handleError(isFromStop ? (this.ctx.err() ?? error) : error, connection);
      this.onResult(error);
    };
    query.handleReadyForQuery = (connection) => {
      handleReadyForQuery(connection);
      this.onResult(null);
    };
    runStoppable(this.ctx, this, this.settings.stopTimeout).catch(() => undefined);
  }

  protected override requestConnection(): void {
    // The caller submits the query.
  }
}

/** A query whose rows are read while they arrive: a portal, from which the reader fetches batches. */
import type { Context } from "../index.ts";
import { type Rows, runStoppable, type Settings, type StopProof } from "../adapter/index.ts";
import { now } from "../internal.ts";
import { ClientQuery } from "./client-query.ts";
import type { Client, Query } from "./driver.ts";
import type { QueryArguments } from "./types.ts";

/** How many rows are fetched at a time, unless the caller says otherwise. */
const ROWS = 100;

/**
 * pg's own query with the option `rows`. It is paused where pg would continue by itself: when the
 * server has sent that many rows and holds the rest. During the pause the server runs nothing, so
 * there is nothing to cancel, and a Sync ends the query.
 */
export class StreamQuery extends ClientQuery implements Rows<unknown> {
  /** Settles when the connection can do other work. */
  readonly ended: Promise<void>;
  readonly #rows: number;
  readonly #connection: Client["connection"];
  #query: Query | undefined;
  #batch: unknown[] = [];
  /** Whether the first Execute was sent. */
  #isSent = false;
  /** Whether the server waits for the next Execute or for a Sync. */
  #isPaused = false;
  #isSynced = false;
  /** Whether the Sync ends the query before its last row. */
  #wasEndedEarly = false;
  #wasStoppedInPause = false;
  #hasSettled = false;
  #wake: (() => void) | undefined;

  constructor(
    ctx: Context,
    args: QueryArguments,
    settings: Settings,
    client: Client,
    rows: number = ROWS,
  ) {
    super(ctx, args, settings, client);
    this.#rows = rows;
    this.#connection = client.connection;
    const finish = (): void => {
      this.#hasSettled = true;
      this.#wake?.();
    };
    this.ended = runStoppable(ctx, this, settings.stopTimeout).then(finish, (error: unknown) => {
      finish();
      throw error;
    });
    this.ended.catch(() => undefined); // `next` rejects with it
  }

  async next(): Promise<unknown[] | undefined> {
    for (;;) {
      if (this.#batch.length > 0) {
        const batch = this.#batch;
        this.#batch = [];
        return batch;
      }
      if (this.#hasSettled) {
        await this.ended;
        return undefined;
      }
      if (this.#isPaused) {
        this.#isPaused = false;
        this.#query?._getRows(this.#connection, this.#rows);
      }
      await new Promise<void>((resolve) => (this.#wake = resolve));
    }
  }

  async close(): Promise<void> {
    if (!this.#hasSettled) this.#sync();
    await this.ended.catch(() => undefined);
  }

  override async stop(signal: AbortSignal): Promise<StopProof> {
    if (this.#isPaused) {
      this.#wasStoppedInPause = true;
      this.#sync();
    }
    // The server has nothing to do but to end the query. A loop that is left when its context ends
    // closes the query before it is stopped.
    return this.#wasEndedEarly ? "unsent" : await super.stop(signal);
  }

  /** Creates the query and replaces its handlers, because pg has no hook to pause a query. */
  protected override createQuery(client: Client): Query {
    const query = super.createQuery(client);
    this.#query = query;
    query.rows = this.#rows;
    query.on("row", (row) => this.#batch.push(row));
    // The query gets a callback, because pg emits no "error" event for a query that has one, and a
    // `query_timeout` gives every query a callback.
    query.callback = (error) => {
      if (!error && this.#wasStoppedInPause) this.rejectAsDone();
      else this.onResult(error);
    };
    const handleRowDescription = query.handleRowDescription.bind(query);
    query.handleRowDescription = (message) => {
      handleRowDescription(message);
      query._accumulateRows = false; // for a query with a callback, pg would keep all rows
    };
    const getRows = query._getRows.bind(query);
    query._getRows = (connection, rows) => {
      // pg does not call this if the values cannot be written. It has then sent a Sync already.
      this.#isSent = true;
      this.sentAt = now();
      getRows(connection, rows);
    };
    query.handlePortalSuspended = () => {
      this.#isPaused = true;
      // A type parser has thrown: pg would read all other rows before it reports that.
      if (query._canceledDueToError) this.#sync();
      this.#wake?.();
    };
    const handleCommandComplete = query.handleCommandComplete.bind(query);
    query.handleCommandComplete = (message, connection) => {
      this.#isSynced = true; // pg sends the Sync here
      handleCommandComplete(message, connection);
    };
    const handleError = query.handleError.bind(query);
    query.handleError = (error, connection) => {
      // The server skips all messages until a Sync, and pg does not send one here.
      this.#isPaused = this.#isSent;
      this.#sync();
      handleError(error, connection);
    };
    return query;
  }

  /** Ends a paused query. */
  #sync(): void {
    if (!this.#isPaused || this.#isSynced) return;
    this.#isPaused = false;
    this.#isSynced = true;
    this.#wasEndedEarly = true;
    this.#connection.sync();
  }
}

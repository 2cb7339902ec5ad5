/** A query whose rows are read as they come: a portal, from which some are taken at a time. */
import type { Context } from "../index.ts";
import { runStoppable } from "../adapter/stoppable.ts";
import type { Rows } from "../adapter/rows.ts";
import { ClientQuery } from "./client-query.ts";
import type { Client, Query } from "./driver.ts";
import type { Settings } from "../adapter/settings.ts";
import type { QueryArguments } from "./types.ts";

/** How many rows are fetched at a time, unless the caller says. */
const ROWS = 100;

/**
 * pg's own query with its `rows` option, held back where pg would go on by itself: when the server
 * has sent that many rows and waits. Nothing runs then, so there is nothing to cancel: Sync ends it.
 */
export class StreamQuery extends ClientQuery implements Rows<unknown> {
  /** Settles when the connection can do other work. */
  readonly ended: Promise<void>;
  readonly #rows: number;
  readonly #connection: Client["connection"];
  #query: Query | undefined;
  #batch: unknown[] = [];
  #sent = false;
  #waiting = false;
  #synced = false;
  #stopped = false;
  #wake: (() => void) | undefined;
  #isOver = false;

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
    const done = (): void => {
      this.#isOver = true;
      this.#wake?.();
    };
    this.ended = runStoppable(ctx, this, settings.stopTimeout).then(done, (error: unknown) => {
      done();
      throw error;
    });
    this.ended.catch(() => undefined); // `next` says it
  }

  async next(): Promise<unknown[] | undefined> {
    for (;;) {
      if (this.#batch.length > 0) {
        const batch = this.#batch;
        this.#batch = [];
        return batch;
      }
      if (this.#isOver) {
        await this.ended;
        return undefined;
      }
      if (this.#waiting) {
        this.#waiting = false;
        this.#query?._getRows(this.#connection, this.#rows);
      }
      await new Promise<void>((resolve) => (this.#wake = resolve));
    }
  }

  async close(): Promise<void> {
    if (!this.#isOver) this.#sync();
    await this.ended.catch(() => undefined);
  }

  override async stop(): Promise<void> {
    if (this.#waiting) {
      this.#stopped = true;
      this.#sync();
    } else await super.stop();
  }

  protected override make(client: Client): Query {
    const query = super.make(client);
    this.#query = query;
    query.rows = this.#rows;
    query.on("row", (row) => this.#batch.push(row));
    // Not by events: with a query_timeout pg gives every query a callback, and then emits no errors.
    query.callback = (error) => {
      if (!error && this.#stopped) this.leave();
      else this.answer(error);
    };
    const describe = query.handleRowDescription.bind(query);
    query.handleRowDescription = (message) => {
      describe(message);
      query._accumulateRows = false; // for the callback pg would keep them all
    };
    const more = query._getRows.bind(query);
    query._getRows = (connection, rows) => {
      this.#sent = true; // not when its values could not be written: then pg has sent a Sync itself
      more(connection, rows);
    };
    query.handlePortalSuspended = () => {
      this.#waiting = true;
      // A row that could not be parsed: pg would read all the others before it says so.
      if (query._canceledDueToError) this.#sync();
      this.#wake?.();
    };
    const complete = query.handleCommandComplete.bind(query);
    query.handleCommandComplete = (message, connection) => {
      this.#synced = true; // by pg
      complete(message, connection);
    };
    const failed = query.handleError.bind(query);
    // The server skips everything until a Sync, which pg forgets to send here.
    query.handleError = (error, connection) => {
      this.#waiting = this.#sent;
      this.#sync();
      failed(error, connection);
    };
    return query;
  }

  #sync(): void {
    if (!this.#waiting || this.#synced) return;
    this.#waiting = false;
    this.#synced = true;
    this.#connection.sync();
  }
}

/** A query whose rows are read while they arrive, from a portal that sends some rows at a time. */
import type { Context } from "../index.ts";
import type { Resolver, Settings, StopProof, Stream } from "../adapter/index.ts";
import { now } from "../internal.ts";
import type { Query, Result, SentQuery } from "./driver.ts";
import type { LeasedConnection } from "./leased-connection.ts";
import { RunningQuery } from "./running-query.ts";

/**
 * The driver's own cursor, paused where the driver would fetch more rows by itself: when the server
 * has sent some rows and waits. The server runs nothing at that time, so there is nothing to cancel:
 * closing the portal ends the query.
 */
export class StreamQuery extends RunningQuery implements Stream {
  /** Settles when the connection can do other work. */
  readonly ended: Promise<unknown>;
  readonly #ctx: Context;
  readonly #rowsPerFetch: number;
  #batch: unknown[] = [];
  /** Tells the driver to fetch more rows or to close the portal. Set while the server waits. */
  #continue: ((close: object | undefined) => void) | undefined;
  #isClosing = false;
  /** Whether the driver was told to close the portal. */
  #isClosed = false;
  #isStopped = false;
  #hasEnded = false;
  #wake: (() => void) | undefined;

  /** `run` starts the query and settles with it. */
  constructor(
    ctx: Context,
    query: Query,
    connection: LeasedConnection,
    settings: Settings,
    rowsPerFetch: number,
    run: (query: StreamQuery) => Promise<unknown>,
  ) {
    super(query, connection, settings);
    this.#ctx = ctx;
    this.#rowsPerFetch = rowsPerFetch;
    this.ended = run(this).finally(() => {
      this.#hasEnded = true;
      this.#wake?.();
    });
    this.ended.catch(() => undefined); // `next` rejects with the error
  }

  protected override overrides(): Partial<SentQuery> {
    const cursorFn = (rows: Result): unknown => {
      for (const row of rows) this.#batch.push(row);
      this.#wake?.();
      const isLastBatch = rows.command != null;
      if (isLastBatch) return undefined;
      const answer = new Promise((resolve) => (this.#continue = resolve));
      if (this.#isClosing) this.#closePortal();
      return answer;
    };
    // The simple protocol has no portals: all rows arrive at once, and after an error the driver sends
    // a Sync whose answer it takes for that of the next query. `cursor()` of the driver excludes it too.
    const options = { ...this.query.options, simple: false };
    return { cursorFn, cursorRows: this.#rowsPerFetch, options };
  }

  /** A stopped stream rejects, although a closed portal is a success for the server. */
  protected override succeed(resolver: Resolver<unknown>, result: unknown): void {
    const err = this.#isStopped ? this.#ctx.err() : undefined;
    if (err === undefined) resolver.resolve(result);
    else resolver.reject(err);
  }

  async next(): Promise<unknown[] | undefined> {
    for (;;) {
      if (this.#batch.length > 0) {
        const batch = this.#batch;
        this.#batch = [];
        return batch;
      }
      if (this.#hasEnded) {
        await this.ended;
        return undefined;
      }
      const fetchMore = this.#continue;
      this.#continue = undefined;
      this.sentAt = now();
      fetchMore?.(undefined);
      await new Promise<void>((resolve) => (this.#wake = resolve));
    }
  }

  async close(): Promise<void> {
    this.#closePortal();
    await this.ended.catch(() => undefined);
  }

  override async stop(signal: AbortSignal): Promise<StopProof> {
    if (this.#continue !== undefined) this.#isStopped = true;
    this.#closePortal();
    // The server has nothing to do but to close the portal. A loop that is left when its context ends
    // closes the portal before the query is stopped.
    return this.#isClosed ? "unsent" : await super.stop(signal);
  }

  /** Closes the portal now, or when the rows that the server is sending have arrived. */
  #closePortal(): void {
    this.#isClosing = true;
    if (this.#continue === undefined) return;
    this.#isClosed = true;
    this.#continue(this.connection.pool.CLOSE);
    this.#continue = undefined;
  }
}

/** A query's place in the queue of a client that others use too. */
import { afterFunc, startWork, type Context } from "../index.ts";
import { queryClassOf } from "./driver.ts";
import type { Callback, Client, Query, QueryArguments, Result } from "./driver.ts";
import { textOf } from "./running-query.ts";

type Outcome = [error: Error | null | undefined, result?: Result];

/**
 * A client sends one query at a time, in the order of its `query` calls, so a cancel request is
 * meant for ours only from the moment that ours is submitted. pg tells nobody of that moment but
 * the query itself: so we make the query, with pg's own class, and hand it over.
 */
export class Turn {
  readonly #what: string;
  /** Whether the query has been sent, or has failed before. */
  hasCome = false;
  #onCome: (() => void) | undefined;
  #withdrawn: Error | undefined;
  #outcome: Outcome | undefined;
  #callback: Callback | undefined;

  constructor(client: Client, args: QueryArguments) {
    this.#what = textOf(args);
    const query = this.#makeQuery(client, args);
    query.callback = (...outcome) => {
      this.#outcome ??= outcome;
      this.#come();
      this.#callback?.(...outcome);
    };
    const submit = query.submit.bind(query);
    query.submit = (connection) => {
      if (this.#withdrawn !== undefined) return this.#withdrawn;
      this.#come();
      return submit(connection);
    };
    client.query(query);
  }

  /** Rejects at once when `ctx` ends first: then the query will never be sent. */
  wait(ctx: Context): Promise<void> {
    const work = startWork(ctx, "pg.wait", this.#what);
    return new Promise((resolve, reject) => {
      const stay = afterFunc(ctx, (err) => {
        if (this.hasCome) return;
        this.#withdrawn = err;
        work.end();
        reject(err);
      });
      this.#onCome = () => {
        stay();
        work.end();
        resolve();
      };
    });
  }

  /** How the query ends, however long ago. */
  onSettled(callback: Callback): void {
    this.#callback = callback;
    if (this.#outcome !== undefined) callback(...this.#outcome);
  }

  #makeQuery(client: Client, args: QueryArguments): Query {
    const QueryClass = queryClassOf(client) as new (...args: QueryArguments) => Query;
    const query = new QueryClass(...args);
    // The one option that pg reads from what it is given and not from the query that it makes.
    if (typeof args[0] === "object") query.query_timeout = args[0].query_timeout;
    return query;
  }

  #come(): void {
    this.hasCome = true;
    this.#onCome?.();
  }
}

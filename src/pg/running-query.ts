/** One query, from the wait for its connection until the connection can serve others. */
import { startWork, type Context, type Work } from "../index.ts";
import type { Operation, OperationEnd, Resolver, Settings, StopProof } from "../adapter/index.ts";
import { CancelableQuery } from "../adapter/postgresql/cancelable-query.ts";
import type { ClientSide } from "../adapter/postgresql/second-signal.ts";
import { now } from "../internal.ts";
import { syncAfterBadValues } from "./bad-values.ts";
import { cancelRequestFor } from "./cancel-request.ts";
import {
  isServerError,
  queryClassOf,
  type Callback,
  type Client,
  type Query,
  type Result,
} from "./driver.ts";
import { isOutsideTransaction } from "./transaction-status.ts";
import type { QueryArguments } from "./types.ts";

const BUSY = "the connection is busy, or inside a transaction";

/**
 * A query that can be stopped. Subclasses say where its connection comes from, and what happens to
 * the connection afterwards.
 */
export abstract class RunningQuery extends CancelableQuery implements Operation<Result> {
  readonly ctx: Context;
  readonly args: QueryArguments;
  readonly #text: string;
  #work: Work | undefined;
  #settle: Resolver<Result> | undefined;
  /** The connection, from the moment at which the query is sent there. */
  #client: Client | undefined;
  #hasEnded = false;
  /** Whether the connection's socket is corked; see `#hold`. */
  #isHeld = false;
  /**
   * Whether the connection can serve others after this query. It is false after an error, unless
   * the server then reported that it is idle outside any transaction.
   */
  protected isReusable = true;

  constructor(ctx: Context, args: QueryArguments, settings: Settings) {
    super(settings);
    this.ctx = ctx;
    this.args = args;
    this.#text = textOf(args);
  }

  /** Starts the wait for a connection, and submits the query when it has one. */
  protected abstract requestConnection(): void;
  /**
   * Returns the connection, if there is one. The query and its cancel requests have ended. If
   * `mustClose` is true, a cancel request may still arrive there, so nothing more is sent.
   */
  protected abstract returnConnection(mustClose: boolean): void;
  /** Destroys the connection, whatever runs there. */
  protected abstract destroyConnection(): void;

  start(settle: Resolver<Result>): undefined {
    this.#settle = settle;
    this.#work = startWork(this.ctx, "pg.wait", this.#text);
    this.requestConnection();
  }

  async stop(signal: AbortSignal): Promise<StopProof> {
    if (this.#client === undefined) {
      this.rejectAsDone();
      return "unsent";
    }
    return await this.cancel(cancelRequestFor(this.#client), signal);
  }

  /**
   * Holds the next queries back, from the end of a query that was stopped until `release`, which says
   * whether its connection is closed.
   *
   * A caller's own client may have more queries in its queue, and pg has no hook to hold them back. So
   * their bytes are held back: the socket is corked.
   */
  readonly #hold = (): void => {
    // pg can report the end of a query twice. The second time, the connection may serve another one.
    if (this.#hasEnded || !this.wasStopped || this.#isHeld || this.#client === undefined) return;
    this.#isHeld = true;
    this.#client.connection.stream.cork();
  };

  protected override clientSide(): ClientSide {
    return {
      pid: Number(this.#client?.processID),
      port: this.#client?.connection.stream.localPort,
    };
  }

  protected override ask(text: string): Promise<number> {
    return new Promise((resolve, reject) => {
      const client = this.#client;
      // A transaction that has failed answers nothing but its end.
      if (client?.readyForQuery !== true || !isOutsideTransaction(client)) throw new Error(BUSY);
      const query = newQuery(client, [text]);
      query.callback = (error, result) => {
        if (error) reject(error);
        else resolve((result as { rowCount: number }).rowCount);
      };
      // Only this statement passes; see `#hold`.
      const { stream } = client.connection;
      stream.uncork();
      client.query(query);
      stream.cork();
    });
  }

  destroy(): void {
    this.#hasEnded = true;
    this.destroyConnection();
    this.abandonRequest();
  }

  release(end: OperationEnd): void {
    this.#work?.end(end.state);
    this.returnConnection(this.mustClose(end));
    if (this.#isHeld) this.#client?.connection.stream.uncork();
  }

  /** Creates the query with pg's own class, as `client.query` does. */
  protected createQuery(client: Client): Query {
    const query = newQuery(client, this.args);
    // pg reads this one option from the argument of `client.query` and not from the query.
    if (typeof this.args[0] === "object") query.query_timeout = this.args[0].query_timeout;
    query.callback = this.onResult;
    syncAfterBadValues(query, client.connection);
    return query;
  }

  /**
   * Puts the query into the client's queue. pg has no hook for the moment at which it sends a
   * query, so the query's `submit` is replaced.
   */
  protected enqueue(client: Client, query: Query): void {
    const submit = query.submit.bind(query);
    query.submit = (connection) => {
      const err = this.ctx.err();
      // If `submit` returns an error, pg sends nothing and rejects the query with that error.
      if (err !== undefined || this.#hasEnded) return err ?? new Error("the query has ended");
      this.markSent(client);
      return submit(connection);
    };
    client.query(query);
  }

  /** Records that the query is sent now. From here on, a cancel request to this client hits it. */
  protected markSent(client: Client): void {
    this.#client = client;
    this.sentAt = now();
    this.#work?.end();
    this.#work = startWork(this.ctx, "pg.query", this.#text);
  }

  /** Rejects with `ctx.err()`. The context is done, and the server runs nothing of this query. */
  protected rejectAsDone(): void {
    this.#end();
    this.#settle?.reject(this.ctx.err());
  }

  #end(): void {
    this.#hold();
    this.#hasEnded = true;
  }

  protected get hasEnded(): boolean {
    return this.#hasEnded;
  }

  /** Receives the result. The driver calls it when the query ends, and sometimes twice. */
  protected readonly onResult: Callback = (error, result) => {
    if (!error) {
      this.#end();
      this.#settle?.resolve(result);
    } else if (this.#client === undefined) {
      this.#hasEnded = true;
      this.#settle?.reject(error);
    } else this.#rejectWhenReady(this.#client, error);
  };

  /**
   * Rejects when the server is ready for the next query. pg reports an error of the server earlier.
   * Until the server is ready, the connection can serve no other query, and it is unknown whether
   * it is inside a transaction.
   */
  #rejectWhenReady({ connection, readyForQuery }: Client, error: Error): void {
    const reject = (message?: { status: string }): void => {
      connection.removeListener("readyForQuery", this.#hold);
      connection.removeListener("readyForQuery", reject);
      connection.removeListener("end", reject);
      this.isReusable = message?.status === "I";
      this.#end();
      this.#settle?.reject(error, { answered });
    };
    // Without an answer, the query may still run: the connection broke, or pg's `query_timeout` has
    // given the query up. An error of a type parser comes after the server's answer.
    const answered = isServerError(error) || readyForQuery;
    if (!isServerError(error) || readyForQuery) reject();
    else {
      // Before pg's own listener, which sends the next query.
      connection.prependListener("readyForQuery", this.#hold);
      connection.once("readyForQuery", reject);
      connection.once("end", reject); // after a fatal error the server never becomes ready
    }
  }
}

function newQuery(client: Client, args: QueryArguments): Query {
  const QueryClass = queryClassOf(client);
  if (QueryClass === undefined) throw new TypeError("this client makes no queries of its own");
  return new QueryClass(...args);
}

/** Returns the SQL without its values, which must not reach logs or receipts. */
export function textOf([query]: QueryArguments): string {
  return typeof query === "string" ? query : query.text;
}

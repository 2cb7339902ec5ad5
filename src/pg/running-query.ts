/** One query, from the wait for its connection to the end: an operation that can be stopped. */
import { startWork, type Context, type Work } from "../index.ts";
import type { Settings } from "../adapter/settings.ts";
import type { Operation, Resolver } from "../adapter/stoppable.ts";
import type { CancelRequest } from "../adapter/postgresql/cancel-request.ts";
import { cancel } from "./cancel-request.ts";
import { queryClassOf, type Callback, type Client, type Query, type Result } from "./driver.ts";
import type { QueryArguments } from "./types.ts";

/** SQLSTATE query_canceled: of a cancel request, and of statement_timeout as well. */
const QUERY_CANCELED = "57014";

/** What pools and clients do not share: how the query gets its connection, and what becomes of that. */
export abstract class RunningQuery implements Operation<Result> {
  readonly ctx: Context;
  readonly args: QueryArguments;
  protected readonly settings: Settings;
  readonly #text: string;
  #work: Work | undefined;
  #settle: Resolver<Result> | undefined;
  /** The connection, from when the query is sent there. */
  #client: Client | undefined;
  #running = true;
  #request: CancelRequest | undefined;
  /** Whether a cancel request was sent. */
  canceled = false;
  /**
   * Whether the connection can serve others after this: unless there was an error and the server
   * did not say afterwards that it is idle, outside any transaction.
   */
  reusable = true;

  constructor(ctx: Context, args: QueryArguments, settings: Settings) {
    this.ctx = ctx;
    this.args = args;
    this.settings = settings;
    this.#text = textOf(args);
  }

  /** Waits for a connection; then calls `sentTo`, or `leave` or `reject` when there is none. */
  protected abstract obtain(): void;
  /** It is over, and its cancel requests too: what becomes of the connection, if there is one? */
  protected abstract giveBack(): void;
  /** Ends the connection, at once and whatever runs there. */
  abstract destroyConnection(): void;

  start(settle: Resolver<Result>): undefined {
    this.#settle = settle;
    this.#work = startWork(this.ctx, "pg.wait", this.#text);
    this.obtain();
  }

  async stop(): Promise<void> {
    if (this.#client === undefined) {
      this.leave();
      return;
    }
    const { stream } = this.#client.connection;
    // Whatever else is queued for this connection waits in its buffer until the request is over.
    stream.cork();
    this.canceled = true;
    this.#request = cancel(this.#client);
    await this.#request.closed;
    stream.uncork();
  }

  isStop(error: unknown): boolean {
    return (error as { code?: unknown }).code === QUERY_CANCELED;
  }

  destroy(): void {
    this.#running = false;
    this.#request?.abandon();
    this.destroyConnection();
  }

  release(state: "stopped" | "abandoned"): void {
    this.#work?.end(state);
    this.giveBack();
  }

  /** The query as pg makes it itself, with pg's own class. */
  protected make(client: Client): Query {
    const QueryClass = queryClassOf(client);
    if (QueryClass === undefined) throw new TypeError("this client makes no queries of its own");
    const query = new QueryClass(...this.args);
    // The one option that pg reads from what it is given and not from the query that it makes.
    if (typeof this.args[0] === "object") query.query_timeout = this.args[0].query_timeout;
    query.callback = this.answer;
    return query;
  }

  /** Sends the query, when the client has done with what was sent there before. */
  protected queue(client: Client, query: Query): void {
    const submit = query.submit.bind(query);
    query.submit = (connection) => {
      const err = this.ctx.err();
      // An error from here is the query's outcome, and nothing is sent.
      if (err !== undefined || this.hasLeft) return err ?? new Error("left");
      this.sentTo(client);
      return submit(connection);
    };
    client.query(query);
  }

  /** Just before the query is sent. From now on a cancel request to this client hits this query. */
  protected sentTo(client: Client): void {
    this.#client = client;
    this.#work?.end();
    this.#work = startWork(this.ctx, "pg.query", this.#text);
  }

  /** Whether it was sent again after this failure. */
  protected retry(_: Error): boolean {
    return false;
  }

  /** The context is done, and the query is not going to be sent. */
  protected leave(): void {
    this.#running = false;
    this.#settle?.reject(this.ctx.err());
  }

  protected get hasLeft(): boolean {
    return !this.#running;
  }

  /** What the driver calls when the query is over. It may do so twice. */
  protected readonly answer: Callback = (error, result) => {
    if (error && this.retry(error)) return;
    if (!error) {
      this.#running = false;
      this.#settle?.resolve(result);
    } else if (this.#client === undefined) {
      this.#running = false;
      this.#settle?.reject(error);
    } else this.#whenReady(this.#client, error);
  };

  /**
   * pg reports an error of the server before the server is ready again. Until then the connection
   * is no good to anybody, and nobody knows whether it is inside a transaction.
   */
  #whenReady({ connection, readyForQuery }: Client, error: Error): void {
    const answered = typeof (error as { severity?: unknown }).severity === "string";
    const settle = (message?: { status: string }): void => {
      connection.removeListener("readyForQuery", settle);
      connection.removeListener("end", settle);
      this.reusable = message?.status === "I";
      this.#running = false;
      this.#settle?.reject(error);
    };
    if (!answered || readyForQuery) settle();
    else {
      connection.once("readyForQuery", settle);
      connection.once("end", settle); // a fatal one: the server is not going to be ready
    }
  }
}

/** The SQL, never the values. */
function textOf([query]: QueryArguments): string {
  return typeof query === "string" ? query : query.text;
}

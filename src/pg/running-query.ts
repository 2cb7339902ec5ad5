/** One query, from the wait for its connection to the end: an operation that can be stopped. */
import {
  afterFunc,
  background,
  startWork,
  withTimeout,
  type Context,
  type Work,
} from "../index.ts";
import type { Operation, Settle } from "../adapter/stoppable.ts";
import { cancelRequest, type CancelRequest } from "./cancel-request.ts";
import type { Callback, Client, Result } from "./driver.ts";
import type { QueryArguments } from "./types.ts";

/**
 * Milliseconds until a cancel request is repeated, doubled each time: one that overtakes its query
 * finds the backend idle and is forgotten, and SQL may catch it (`EXCEPTION WHEN query_canceled`).
 */
const REPEAT_AFTER = 50;

/** SQLSTATE query_canceled: of a cancel request, and of statement_timeout as well. */
const QUERY_CANCELED = "57014";

/** What pools and clients do not share: how the query gets its connection, and what becomes of that. */
export abstract class RunningQuery implements Operation<Result> {
  readonly ctx: Context;
  readonly args: QueryArguments;
  readonly #text: string;
  #work: Work | undefined;
  #settle: Settle<Result> | undefined;
  /** The connection, from when the query is sent there. */
  #client: Client | undefined;
  // Set within the driver's callback and not by a promise: the next query of the connection can be
  // sent before any promise is.
  #running = true;
  #onOver: (() => void) | undefined;
  #request: CancelRequest | undefined;
  /** Whether a cancel request was sent. */
  canceled = false;
  /**
   * Whether the connection can serve others after this: unless there was an error and the server
   * did not say afterwards that it is idle, outside any transaction.
   */
  reusable = true;

  constructor(ctx: Context, args: QueryArguments) {
    this.ctx = ctx;
    this.args = args;
    this.#text = textOf(args);
  }

  /** Waits for a connection; then calls `sentTo`, or `leave` or `reject` when there is none. */
  protected abstract obtain(): void;
  /** It is over, and its cancel requests too: what becomes of the connection? */
  protected abstract giveBack(): void;
  /** Ends the connection, at once and whatever runs there. */
  abstract destroyConnection(): void;

  start(settle: Settle<Result>): undefined {
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
    for (let pause = REPEAT_AFTER; this.#running; pause *= 2) {
      // Whatever else is queued for this connection waits in its buffer until the request is over.
      stream.cork();
      this.canceled = true;
      this.#request = cancelRequest(this.#client);
      await this.#request.closed;
      stream.uncork();
      if (this.#running) await this.#overWithin(pause);
    }
  }

  isStop(error: unknown): boolean {
    return (error as { code?: unknown }).code === QUERY_CANCELED;
  }

  destroy(): void {
    this.#end();
    this.#request?.abandon();
    this.destroyConnection();
  }

  over(state: "stopped" | "lost"): void {
    this.#work?.end(state);
    if (this.#client !== undefined) this.giveBack();
  }

  /** The wait is over: from now on a cancel request to this client hits this query. */
  protected sentTo(client: Client): void {
    this.#client = client;
    this.#work?.end();
    this.#work = startWork(this.ctx, "pg.query", this.#text);
  }

  /** The context is done, and the query is not going to be sent. */
  protected leave(): void {
    this.#end();
    this.#settle?.reject(this.ctx.err());
  }

  protected get hasLeft(): boolean {
    return !this.#running;
  }

  /** What the driver calls when the query is over. It may do so twice. */
  protected readonly answer: Callback = (error, result) => {
    if (!error) {
      this.#end();
      this.#settle?.resolve(result);
    } else if (this.#client === undefined) {
      this.#end();
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
      this.#end();
      this.#settle?.reject(error);
    };
    if (!answered || readyForQuery) settle();
    else {
      connection.once("readyForQuery", settle);
      connection.once("end", settle); // a fatal one: the server is not going to be ready
    }
  }

  #end(): void {
    this.#running = false;
    this.#onOver?.();
  }

  async #overWithin(ms: number): Promise<void> {
    using pause = withTimeout(background(), ms);
    await new Promise<void>((resolve) => {
      this.#onOver = resolve;
      afterFunc(pause, () => resolve());
    });
  }
}

/** The SQL, never the values. */
function textOf([query]: QueryArguments): string {
  return typeof query === "string" ? query : query.text;
}

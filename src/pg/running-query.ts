/** One query on one connection, as an operation that can be stopped. */
import { afterFunc, background, withTimeout } from "../index.ts";
import type { Operation } from "../adapter/stoppable.ts";
import { cancelRequest, type CancelRequest } from "./cancel-request.ts";
import type { Callback, Client, QueryArguments, Result } from "./driver.ts";

/**
 * Milliseconds until a cancel request is repeated, doubled each time: one that overtakes its query
 * finds the backend idle and is forgotten, and SQL may catch it (`EXCEPTION WHEN query_canceled`).
 */
const REPEAT_AFTER = 50;

/** SQLSTATE query_canceled: of a cancel request, and of statement_timeout as well. */
const QUERY_CANCELED = "57014";

/** Hands the query to the client; the callback may be called more than once. */
export type Send = (callback: Callback) => void;

export class RunningQuery implements Operation<Result> {
  readonly kind = "pg.query";
  readonly what: string;
  readonly begun: boolean;
  readonly #client: Client;
  readonly #send: Send;
  readonly #discard: (reason: unknown) => void;
  // Set within the driver's callback and not by a promise: the next query of the connection can be
  // sent before any promise is.
  #running = false;
  #settled: (() => void) | undefined;
  #request: CancelRequest | undefined;
  /** Whether a cancel request was sent. */
  canceled = false;
  /**
   * Whether the connection can serve others after this: unless there was an error and the server
   * did not say afterwards that it is idle, outside any transaction.
   */
  reusable = true;

  /**
   * `discard` lets go of the connection, at once and whatever runs there. `begun`: the query has
   * been sent already, and `send` only says where its outcome is to go.
   */
  constructor(
    client: Client,
    args: QueryArguments,
    send: Send,
    discard: (reason: unknown) => void,
    begun = false,
  ) {
    this.#client = client;
    this.what = textOf(args);
    this.#send = send;
    this.#discard = discard;
    this.begun = begun;
  }

  start(): Promise<Result> {
    return new Promise((resolve, reject) => {
      this.#running = true;
      this.#send((error, result) => {
        if (!error) {
          this.#over();
          resolve(result);
        } else this.#whenReady(error, reject);
      });
    });
  }

  async stop(): Promise<void> {
    const { stream } = this.#client.connection;
    for (let pause = REPEAT_AFTER; this.#running; pause *= 2) {
      // Whatever else is queued for this connection waits in its buffer until the request is over.
      stream.cork();
      this.canceled = true;
      this.#request = cancelRequest(this.#client);
      await this.#request.closed;
      stream.uncork();
      if (this.#running) await this.#settledWithin(pause);
    }
  }

  isStop(error: unknown): boolean {
    return (error as { code?: unknown }).code === QUERY_CANCELED;
  }

  destroy(reason: unknown): void {
    this.#over();
    this.#request?.abandon();
    this.#discard(reason);
  }

  /**
   * pg reports an error of the server before the server is ready again. Until then the connection
   * is no good to anybody, and nobody knows whether it is inside a transaction.
   */
  #whenReady(error: Error, reject: (error: Error) => void): void {
    const { connection, readyForQuery } = this.#client;
    const answered = typeof (error as { severity?: unknown }).severity === "string";
    const settle = (message?: { status: string }): void => {
      connection.removeListener("readyForQuery", settle);
      connection.removeListener("end", settle);
      this.reusable = message?.status === "I";
      this.#over();
      reject(error);
    };
    if (!answered || readyForQuery) settle();
    else {
      connection.once("readyForQuery", settle);
      connection.once("end", settle); // a fatal one: the server is not going to be ready
    }
  }

  #over(): void {
    this.#running = false;
    this.#settled?.();
  }

  async #settledWithin(ms: number): Promise<void> {
    using pause = withTimeout(background(), ms);
    await new Promise<void>((resolve) => {
      this.#settled = resolve;
      afterFunc(pause, () => resolve());
    });
  }
}

/** The SQL, never the values; the name of a prepared statement that comes without. */
export function textOf([query]: QueryArguments): string {
  if (typeof query === "string") return query;
  return query.text ?? query.name ?? "";
}

/** A query on a leased connection, as an operation that can be stopped. */
import type { Socket } from "node:net";
import type { Operation, OperationEnd, Resolver, Settings, StopProof } from "../adapter/index.ts";
import { CancelableQuery } from "../adapter/postgresql/cancelable-query.ts";
import { CLOSED_AFTER_STOP } from "../adapter/postgresql/canceled-query.ts";
import type { ClientSide } from "../adapter/postgresql/second-signal.ts";
import { now } from "../internal.ts";
import { cancelRequestFor } from "./cancel-request.ts";
import { isConnectionError } from "./connection-error.ts";
import { copyQuery, type Query, type Result, type SentQuery } from "./driver.ts";
import type { LeasedConnection } from "./leased-connection.ts";

export interface QueryOptions {
  /**
   * The lease ends with this query: if the query succeeds, its connection goes back to the pool at
   * once.
   */
  readonly isLast?: boolean;
  /** The query is waited for if it cannot be stopped, because its outcome must be known. */
  readonly mustFinish?: boolean;
}

export class RunningQuery extends CancelableQuery implements Operation<unknown> {
  readonly kind = "postgres.query";
  readonly what: string;
  protected readonly connection: LeasedConnection;
  protected sent: SentQuery | undefined;
  protected readonly query: Query;
  protected override readonly mustFinish: boolean;
  readonly #isLast: boolean;
  /**
   * Set as soon as the server has answered, before the promise settles. Meanwhile another caller may
   * get the connection.
   */
  #isAnswered = false;
  /** Whether the query may have left the connection inside a transaction. */
  mayHaveBegunTransaction = false;

  constructor(
    query: Query,
    connection: LeasedConnection,
    settings: Settings,
    { isLast = false, mustFinish = false }: QueryOptions = {},
  ) {
    super(settings);
    this.query = query;
    this.connection = connection;
    this.#isLast = isLast;
    this.mustFinish = mustFinish;
    this.what = textOf(query);
  }

  start(resolver: Resolver<unknown>): undefined {
    // The driver resolves a query twice if it closes a portal, or if it only describes.
    const onResult = (result: unknown): void => {
      if (this.#isAnswered) return;
      this.#isAnswered = true;
      this.mayHaveBegunTransaction = beginsTransaction(result);
      if (this.#isLast && !this.wasStopped && !this.mayHaveBegunTransaction) {
        this.connection.giveBackAfterQuery();
      }
      this.succeed(resolver, result);
    };
    const onError = (error: Error): void => {
      this.#isAnswered = true;
      this.mayHaveBegunTransaction = /\b(?:begin|start)\b/i.test(this.sent?.string ?? "");
      resolver.reject(error, { answered: !isConnectionError(error) });
    };
    const outcome = { resolve: onResult, reject: onError };
    this.sent = copyQuery(this.query, outcome, this.overrides());
    this.sentAt = now();
    this.connection.execute(this.sent);
  }

  async stop(signal: AbortSignal): Promise<StopProof> {
    const { state: backend } = this.sent ?? {};
    // Another caller may have the connection by now. Or it was broken, and nothing was sent.
    if (this.#isAnswered || backend == null) return "unsent";
    const { pool, socket } = this.connection;
    return await this.cancel(cancelRequestFor(backend, pool.options, socket), signal);
  }

  protected override clientSide(): ClientSide {
    const { localPort } = Object(this.connection.socket) as Partial<Socket>;
    return { pid: Number(this.sent?.state?.pid), port: localPort };
  }

  protected override ask(text: string): Promise<number> {
    return new Promise((resolve, reject) => {
      const onResult = (result: unknown): void => resolve(Number((result as Result).count));
      const query = this.connection.pool.unsafe(text);
      this.connection.execute(copyQuery(query, { resolve: onResult, reject }));
    });
  }

  destroy(): void {
    this.connection.destroy();
    this.abandonRequest();
  }

  release(end: OperationEnd): void {
    if (this.mustClose(end)) this.connection.destroy(CLOSED_AFTER_STOP);
  }

  /** Whether the driver may miscount the rows of the next query; see `RESET_ROW_COUNT`. */
  get hasRows(): boolean {
    return (this.sent?.statement?.columns?.length ?? 0) > 0;
  }

  /** Returns the properties of the sent query that differ from the user's query. */
  protected overrides(): Partial<SentQuery> {
    return {};
  }

  /** Reports the driver's result. */
  protected succeed(resolver: Resolver<unknown>, result: unknown): void {
    resolver.resolve(result);
  }
}

/** Whether a statement has begun a transaction. A text may consist of several statements. */
function beginsTransaction(result: unknown): boolean {
  const results = Array.isArray(result) && !("command" in result) ? result : [result];
  return (results as Result[]).some((one) => /^(BEGIN|START)/.test(one.command ?? ""));
}

/** Returns the SQL without the values. */
export function textOf({ strings }: Query): string {
  return strings.reduce((text, next, i) => `${text}$${i}${next}`);
}

/** One query on a held connection: an operation that can be stopped. */
import type { Operation } from "../adapter/stoppable.ts";
import { Cancel } from "./cancel.ts";
import { statementOf, type Query, type Result, type Statement } from "./driver.ts";
import type { HeldConnection } from "./held-connection.ts";

/** SQLSTATE query_canceled: of a cancel request, and of statement_timeout as well. */
const QUERY_CANCELED = "57014";

export class RunningStatement implements Operation<unknown> {
  readonly kind = "postgres.query";
  readonly what: string;
  protected readonly held: HeldConnection;
  protected statement: Statement | undefined;
  readonly #query: Query;
  readonly #isLast: boolean;
  readonly #cancel = new Cancel();
  #settled: Promise<unknown> = Promise.resolve();
  /** Before the promise that says it: somebody may be told of the connection in the meantime. */
  #answered = false;
  /** Whether a cancel request was sent. */
  canceled = false;
  /** Whether it may have left the connection inside a transaction. */
  mayHaveBegun = false;

  /** If it is the `last` on the connection, that is given on at once when all has gone well. */
  constructor(query: Query, held: HeldConnection, isLast = false) {
    this.#query = query;
    this.held = held;
    this.#isLast = isLast;
    this.what = textOf(query);
  }

  start(): Promise<unknown> {
    const running = new Promise((resolve, reject) => {
      // The driver answers twice where it closes a portal or only describes.
      const answer = (result: unknown): void => {
        if (this.#answered) return;
        this.#answered = true;
        this.mayHaveBegun = beginsTransaction(result);
        if (this.#isLast && !this.canceled && !this.mayHaveBegun) this.held.free();
        resolve(this.outcome(result));
      };
      const fail = (error: Error): void => {
        this.#answered = true;
        this.mayHaveBegun = /\b(?:begin|start)\b/i.test(this.statement?.string ?? "");
        reject(error);
      };
      this.statement = statementOf(this.#query, { resolve: answer, reject: fail }, this.more());
      this.held.execute(this.statement);
    });
    this.#settled = running.catch(() => undefined);
    return running;
  }

  async stop(): Promise<void> {
    const { state } = this.statement ?? {};
    // The connection can be another's by now, or was broken and nothing was sent.
    if (this.#answered || state == null) return;
    this.canceled = true;
    await this.#cancel.send(this.held.pool.options, state, this.#settled);
  }

  isStop(error: unknown): boolean {
    return (error as { code?: unknown } | null | undefined)?.code === QUERY_CANCELED;
  }

  destroy(): void {
    this.#cancel.abandon();
    this.held.destroy();
  }

  /** Whether the driver may be wrong about the rows of the next statement; see `FENCE`. */
  get hadRows(): boolean {
    return (this.statement?.statement?.columns?.length ?? 0) > 0;
  }

  /** What else the driver is told. */
  protected more(): Partial<Statement> {
    return {};
  }

  protected outcome(result: unknown): unknown {
    return result;
  }
}

/** Whether one of these statements, several in one text or one, has begun a transaction. */
function beginsTransaction(result: unknown): boolean {
  const results = Array.isArray(result) && !("command" in result) ? result : [result];
  return (results as Result[]).some((one) => /^(BEGIN|START)/.test(one.command ?? ""));
}

/** The SQL, never the values. */
function textOf({ strings }: Query): string {
  return strings.reduce((text, next, i) => `${text}$${i}${next}`);
}

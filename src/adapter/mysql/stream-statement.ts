/** A statement whose rows are read while they arrive. */
import { withCancel, type CancelableContext, type Context } from "../../index.ts";
import { RowBuffer } from "../row-buffer.ts";
import type { Stream } from "../session.ts";
import type { StopProof } from "../operation.ts";
import type { PausableRows } from "./driver.ts";
import { RunningStatement, type StatementSession } from "./running-statement.ts";

/** How many rows may wait for the loop before the driver has to hold back the rest. */
const MAX_ROWS = 100;

export interface StreamOptions {
  readonly kind: string;
  readonly what: string;
  /** Sends the query, as `MysqlConnection.read` does. */
  readonly read: (onRow: (row: unknown) => void, onEnd: (error?: Error) => void) => PausableRows;
  /** Runs the statement once its turn on the connection has come. */
  readonly run: (ctx: Context, statement: RunningStatement<void>) => Promise<void>;
}

export class StreamStatement extends RunningStatement<void> implements Stream {
  readonly ended: Promise<void>;
  /** Ends with the caller's context, or when the loop is left. */
  readonly #ctx: CancelableContext;
  readonly #buffer: RowBuffer<unknown>;
  #isDiscarding = false;

  constructor(ctx: Context, session: StatementSession, options: StreamOptions) {
    const { kind, what, read, run } = options;
    let source: PausableRows | undefined; // undefined until the statement's turn has come
    const call = (): Promise<void> =>
      new Promise((resolve, reject) => {
        const onEnd = (error?: Error): void => (error === undefined ? resolve() : reject(error));
        source = read((row) => this.#buffer.push(row), onEnd);
      });
    super(session, { kind, what, call });
    this.#ctx = withCancel(ctx);
    const close = (): void => this.#ctx[Symbol.dispose]();
    this.#buffer = new RowBuffer(
      { resume: () => source?.resume(), pause: () => source?.pause(), close },
      MAX_ROWS,
    );
    this.ended = run(this.#ctx, this).finally(close);
    this.ended.then(
      () => {
        // The statement was faster than its KILL, but its last rows were discarded.
        if (this.#isDiscarding) this.#buffer.fail(this.#ctx.err());
        else this.#buffer.end();
      },
      (error: unknown) => this.#buffer.fail(error),
    );
  }

  next(): Promise<unknown[] | undefined> {
    return this.#buffer.next();
  }

  close(): Promise<void> {
    return this.#buffer.close();
  }

  /** Also reads and discards the rows, because the server notices a KILL only while it can send. */
  override stop(signal: AbortSignal): Promise<StopProof> {
    this.#isDiscarding = true;
    this.#buffer.discard();
    return super.stop(signal);
  }
}

/** A statement whose rows are read while they arrive. */
import { throwIfDone, withCancel, type CancelableContext, type Context } from "../../index.ts";
import type { Stream } from "../sessions.ts";
import type { PausableRows } from "./driver.ts";
import { RunningStatement, type StatementSession } from "./running-statement.ts";

/** How many rows may wait for the loop before the driver has to hold back the rest. */
const MAX_ROWS = 100;

export interface StreamOptions {
  readonly kind: string;
  readonly what: string;
  /** Sends the query; see `MysqlConnection.read`. */
  read(onRow: (row: unknown) => void, onEnd: (error?: Error) => void): PausableRows;
  /** Runs the statement once its turn on the connection has come. */
  run(ctx: Context, statement: RunningStatement<void>): Promise<void>;
}

export class StreamStatement extends RunningStatement<void> implements Stream {
  readonly ended: Promise<void>;
  /** Ends with the caller's context, or when the loop is left. */
  readonly #ctx: CancelableContext;
  #source: PausableRows | undefined;
  #rows: unknown[] = [];
  #isPaused = false;
  #hasEnded = false;
  #isDiscarding = false;
  #wake: (() => void) | undefined;

  constructor(ctx: Context, session: StatementSession, options: StreamOptions) {
    const { kind, what, read, run } = options;
    const call = (): Promise<void> =>
      new Promise((resolve, reject) => {
        this.#source = read(this.#take, (error) => {
          if (error === undefined) resolve();
          else reject(error);
        });
      });
    super(session, kind, what, call);
    this.#ctx = withCancel(ctx);
    this.ended = run(this.#ctx, this).finally(() => {
      this.#hasEnded = true;
      this.#ctx[Symbol.dispose]();
      this.#wake?.();
    });
    this.ended.catch(ignore); // `next` reports it
  }

  async next(): Promise<unknown[] | undefined> {
    for (;;) {
      if (this.#rows.length > 0) {
        const rows = this.#rows;
        this.#rows = [];
        return rows;
      }
      if (this.#hasEnded) {
        await this.ended;
        // The statement was faster than its KILL, but its last rows were discarded.
        if (this.#isDiscarding) throwIfDone(this.#ctx);
        return undefined;
      }
      const woken = new Promise<void>((resolve) => (this.#wake = resolve));
      this.#resume(); // may bring rows at once
      await woken;
    }
  }

  async close(): Promise<void> {
    this.#ctx[Symbol.dispose]();
    await this.ended.catch(ignore);
  }

  /** Also reads and discards the rows: the server notices a KILL only while it can send them. */
  override stop(): PromiseLike<unknown> {
    this.#isDiscarding = true;
    this.#rows = [];
    this.#resume();
    return super.stop();
  }

  readonly #take = (row: unknown): void => {
    if (this.#isDiscarding) return;
    this.#rows.push(row);
    this.#wake?.();
    if (this.#rows.length < MAX_ROWS || this.#isPaused) return;
    this.#isPaused = true;
    this.#source?.pause();
  };

  #resume(): void {
    if (!this.#isPaused) return;
    this.#isPaused = false;
    this.#source?.resume();
  }
}

function ignore(): void {
  // reported elsewhere
}

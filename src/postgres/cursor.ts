/** A query whose rows are read as they come: a portal, from which some are taken at a time. */
import type { Context } from "../index.ts";
import type { Stream } from "../adapter/sessions.ts";
import type { Query, Result, Statement } from "./driver.ts";
import type { HeldConnection } from "./held-connection.ts";
import { RunningStatement } from "./statement.ts";

/**
 * The driver's own cursor, held back where it would go on by itself: when the server has sent some
 * rows and waits. Nothing runs then, so there is nothing to cancel: closing the portal ends it.
 */
export class Cursor extends RunningStatement implements Stream {
  /** Settles when the connection can do other work. */
  readonly ended: Promise<unknown>;
  readonly #ctx: Context;
  readonly #rows: number;
  #batch: unknown[] = [];
  /** Asks for more, or for the end; there while the server waits for that. */
  #answer: ((answer: unknown) => void) | undefined;
  #isClosing = false;
  #isStopped = false;
  #isOver = false;
  #wake: (() => void) | undefined;

  /** `run` starts it. */
  constructor(
    ctx: Context,
    query: Query,
    held: HeldConnection,
    rows: number,
    run: (cursor: Cursor) => Promise<unknown>,
  ) {
    super(query, held);
    this.#ctx = ctx;
    this.#rows = rows;
    this.ended = run(this).finally(() => {
      this.#isOver = true;
      this.#wake?.();
    });
    this.ended.catch(() => undefined); // `next` says it
  }

  protected override more(): Partial<Statement> {
    const cursorFn = (rows: Result): unknown => {
      for (const row of rows) this.#batch.push(row);
      this.#wake?.();
      if (rows.command != null) return undefined; // the last
      if (this.#isClosing) return this.held.pool.CLOSE;
      return new Promise((resolve) => (this.#answer = resolve));
    };
    return { cursorFn, cursorRows: this.#rows };
  }

  /** A stop is no success, although the server takes the end of a portal for one. */
  protected override outcome(result: unknown): unknown {
    const err = this.#isStopped ? this.#ctx.err() : undefined;
    return err === undefined ? result : Promise.reject(err);
  }

  async next(): Promise<unknown[] | undefined> {
    for (;;) {
      if (this.#batch.length > 0) {
        const batch = this.#batch;
        this.#batch = [];
        return batch;
      }
      if (this.#isOver) {
        await this.ended;
        return undefined;
      }
      const answer = this.#answer;
      this.#answer = undefined;
      answer?.(undefined);
      await new Promise<void>((resolve) => (this.#wake = resolve));
    }
  }

  async close(): Promise<void> {
    this.#end();
    await this.ended.catch(() => undefined);
  }

  override async stop(): Promise<void> {
    const isWaiting = this.#answer !== undefined;
    if (isWaiting) this.#isStopped = true;
    this.#end();
    if (!isWaiting) await super.stop();
  }

  #end(): void {
    this.#isClosing = true;
    this.#answer?.(this.held.pool.CLOSE);
    this.#answer = undefined;
  }
}

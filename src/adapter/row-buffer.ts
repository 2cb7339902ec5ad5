/** The rows between a driver that delivers them and a loop that reads them. */
import type { Rows } from "./rows.ts";

/** The driver's side of a stream. Its methods must not throw. */
export interface RowSource {
  /**
   * Asks for more rows. The buffer calls it each time that the loop waits while the buffer is empty,
   * even if rows are on their way already. It may push rows before it returns.
   */
  resume(): void;
  /**
   * Holds the rows back. The buffer calls it once when it is full, and again after each `resume`.
   * Rows may still arrive for a while. A source that stops by itself after each batch needs no `pause`.
   */
  pause?(): void;
  /**
   * Asks for the early end of the result. The buffer calls it at most once, when the loop is left
   * before the end. The source must call `end` or `fail` afterwards, as it does at any other end.
   */
  close(): void;
}

/**
 * Holds the rows that have arrived until the loop reads them, and tells the source when to go on.
 *
 * The source calls `push` or `pushAll` for its rows, and then either `end` or `fail`, once. The rows
 * that arrived before the end are read before it.
 */
export class RowBuffer<Row> implements Rows<Row> {
  readonly #source: RowSource;
  readonly #capacity: number;
  #rows: Row[] = [];
  #isPaused = false;
  #isDiscarding = false;
  #isClosing = false;
  #end: { readonly error?: unknown } | undefined;
  #change: Promise<void> | undefined;
  #announceChange: (() => void) | undefined;

  /** `capacity` is the number of rows at which the buffer is full and pauses its source. */
  constructor(source: RowSource, capacity = Infinity) {
    this.#source = source;
    this.#capacity = capacity;
  }

  /** Adds one row. */
  push(row: Row): void {
    if (this.#isDiscarding) return;
    this.#rows.push(row);
    this.#pauseIfFull();
    this.#announceChange?.();
  }

  /** Adds one batch of rows. After an empty batch, a loop that waits asks the source again. */
  pushAll(rows: readonly Row[]): void {
    if (!this.#isDiscarding) for (const row of rows) this.#rows.push(row);
    this.#pauseIfFull();
    this.#announceChange?.();
  }

  /** Ends the result: no row comes after those in the buffer. */
  end(): void {
    this.#end ??= {};
    this.#announceChange?.();
  }

  /** Ends the result with an error, which `next` rejects with after the rows in the buffer. */
  fail(error: unknown): void {
    this.#end ??= { error };
    this.#announceChange?.();
  }

  /**
   * Drops the rows in the buffer and all that arrive later, and resumes the source. The result must
   * then end with `fail`, because `next` would present an `end` as the end of a complete result.
   */
  discard(): void {
    this.#isDiscarding = true;
    this.#rows = [];
    this.#resume();
  }

  /** Resolves with all rows in the buffer. If it is empty, waits for the next rows or for the end. */
  async next(): Promise<Row[] | undefined> {
    for (;;) {
      if (this.#rows.length > 0) {
        const rows = this.#rows;
        this.#rows = [];
        return rows;
      }
      if (this.#end !== undefined) {
        if ("error" in this.#end) throw this.#end.error;
        return undefined;
      }
      const changed = this.#changed(); // called before `resume`, which may push rows at once
      this.#resume();
      await changed;
    }
  }

  /** Drops all rows, closes the source if it has not ended, and resolves when it has ended. Never rejects. */
  async close(): Promise<void> {
    this.#isDiscarding = true;
    this.#rows = [];
    if (this.#end === undefined && !this.#isClosing) {
      this.#isClosing = true;
      this.#source.close();
    }
    while (this.#end === undefined) await this.#changed();
  }

  #resume(): void {
    this.#isPaused = false;
    this.#source.resume();
  }

  #pauseIfFull(): void {
    if (this.#isPaused || this.#rows.length < this.#capacity) return;
    this.#isPaused = true;
    this.#source.pause?.();
  }

  /** Resolves when rows or the end have arrived. */
  #changed(): Promise<void> {
    return (this.#change ??= new Promise((resolve) => {
      this.#announceChange = () => {
        this.#change = this.#announceChange = undefined;
        resolve();
      };
    }));
  }
}

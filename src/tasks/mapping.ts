import { throwIfDone } from "../core/context-state.ts";
import type { Context } from "../core/context.ts";
import { RunningTasks } from "./running-tasks.ts";
import type { Source } from "./source.ts";
import { waitFor } from "./wait-for.ts";

export type MapFunction<T, R> = (ctx: Context, item: T) => R | PromiseLike<R>;

/** One iteration over the results of `map`. */
export class Mapping<T, R> {
  readonly #ctx: Context;
  readonly #source: Source<T>;
  readonly #fn: MapFunction<T, R>;
  readonly #limit: number;
  readonly #isOrdered: boolean;
  readonly #tasks: RunningTasks;
  /** The results that were not taken yet, by the position at which they are taken. */
  readonly #results = new Map<number, R>();
  /** The next position to give away: to an item that begins or, unordered, to one that has ended. */
  #nextPosition = 0;
  #taken = 0;
  /** The items between source and loop: being read, running, or finished and not taken. */
  #inside = 0;
  #isReading = false;
  /** Wakes the loop, which waits for a change. */
  #wake: (() => void) | undefined;

  constructor(
    ctx: Context,
    source: Source<T>,
    fn: MapFunction<T, R>,
    limit: number,
    isOrdered: boolean,
  ) {
    this.#ctx = ctx;
    this.#source = source;
    this.#fn = fn;
    this.#limit = limit;
    this.#isOrdered = isOrdered;
    this.#tasks = new RunningTasks(ctx, Infinity); // #inside is the limit
  }

  /** A generator, because it puts calls of `next()` in a queue, and does nothing before the first. */
  async *run(): AsyncGenerator<R, void, undefined> {
    try {
      for (;;) {
        void this.#read();
        while (!this.#isReady) await new Promise<void>((resolve) => (this.#wake = resolve));
        if (this.#isComplete) break;
        throwIfDone(this.#tasks.ctx); // a failure has canceled it, too
        const result = this.#results.get(this.#taken) as R;
        this.#results.delete(this.#taken++);
        this.#inside--;
        void this.#read(); // while the loop is busy with this result
        yield result;
      }
    } catch (error) {
      this.#tasks.fail(error);
    } finally {
      if (!this.#isComplete) {
        this.#tasks.failures.expectEnd();
        this.#tasks.ctx.cancel(new Error("the loop over map() was left"));
      }
      // At the same time, because a task may wait for a connection that the source holds.
      await this.#tasks.join(() => this.#source.close(this.#ctx));
    }
  }

  get #isComplete(): boolean {
    return this.#source.isFinished && this.#inside === 0; // a failed item stays inside
  }

  get #isReady(): boolean {
    return (
      this.#results.has(this.#taken) || this.#isComplete || this.#tasks.ctx.err() !== undefined
    );
  }

  /** Reads items while there is room, and starts a task for each. */
  async #read(): Promise<void> {
    if (this.#isReading) return;
    this.#isReading = true;
    const { ctx } = this.#tasks;
    try {
      while (this.#inside < this.#limit && !this.#source.isFinished && ctx.err() === undefined) {
        this.#inside++;
        const next = this.#source.next();
        const step = next instanceof Promise ? await waitFor(ctx, next, "map") : next;
        if (step.done === true) this.#inside--;
        else this.#start(step.value);
      }
    } catch (error) {
      this.#tasks.fail(error);
    }
    this.#isReading = false;
    this.#wake?.();
  }

  #start(item: T): void {
    const position = this.#isOrdered ? this.#nextPosition++ : undefined;
    const onResult = (result: R): void => {
      this.#results.set(position ?? this.#nextPosition++, result);
      this.#wake?.();
    };
    // The failure is recorded, and the next call of `next()` throws it.
    const onFailure = (): void => this.#wake?.();
    void this.#tasks.run((ctx) => this.#fn(ctx, item), onResult, onFailure);
  }
}

/** One run of a function whose context ends at one of its steps. */
import {
  background,
  withLedger,
  withSignal,
  type CancelableContext,
  type Context,
} from "../index.ts";
import { recordStack } from "../internal.ts";
import type { SteppedOutcome } from "./conformance/steps.ts";
import { STUCK_AFTER, type ManualClock } from "./manual-clock.ts";
import { poll, settlesWithin, turn } from "./real-time.ts";
import { SteppingContext } from "./stepping-context.ts";
import { onWork } from "./work-steps.ts";

/** How the context of a run ends. */
type RunEnd = "cancel" | "deadline";

/** The most steps that a run may have, because each of them costs a run. */
const MOST_STEPS = 1_000;

/** The most timers that a run may wait for before its first step. */
const MOST_TIMERS = 1_000;

export class CanceledRun<T> {
  /** The steps up to the one at which the context has ended, or all of them. */
  readonly steps: string[] = [];
  /** The context, without the steps. It has the ledger of the run. */
  readonly ctx: Context;
  outcome: SteppedOutcome<T> | undefined;
  /** Leads to the code that took the step at which the context has ended, or one step too many. */
  site: Error | undefined;
  /** Why the run was ended at no step, if it was: the function does not seem to end by itself. */
  endless: string | undefined;
  readonly #scope: CancelableContext;
  readonly #controller = new AbortController();
  readonly #end: RunEnd;
  /** The number of the step at which the context ends. */
  readonly #last: number;
  /** Whether the run has ended, so that nothing counts any more. */
  #isOver = false;
  /** Continues `#passTime`. */
  #wake: (() => void) | undefined;

  constructor(last: number, end: RunEnd) {
    this.#last = last;
    this.#end = end;
    this.#scope = withSignal(background(), this.#controller.signal);
    this.ctx = withLedger(this.#scope);
  }

  get isCanceled(): boolean {
    return this.#controller.signal.aborted;
  }

  /**
   * Runs `fn` once. Resolves when it has settled, or `within` milliseconds after the end of its context,
   * with an `outcome` of `undefined`.
   */
  async run(
    fn: (ctx: Context) => T | PromiseLike<T>,
    clock: ManualClock | undefined,
    within: number,
  ): Promise<void> {
    const step = (name: string): void => {
      this.#step(name);
    };
    const stopListening = onWork(this.ctx, step);
    const canceled = new Promise((resolve) => {
      this.#controller.signal.addEventListener("abort", resolve);
    });
    try {
      const settled = this.#settle(async () => await fn(new SteppingContext(this.ctx, step)));
      void this.#passTime(clock);
      await Promise.race([settled, canceled]);
      await settlesWithin(settled, within);
    } finally {
      this.#isOver = true;
      this.#wake?.();
      stopListening();
      this.#scope[Symbol.dispose]();
    }
  }

  async #settle(fn: () => Promise<T>): Promise<void> {
    this.outcome = await fn().then(
      (value) => ({ value }),
      (error: unknown) => ({ stopped: error }),
    );
    this.#isOver = true;
  }

  #step(name: string): void {
    this.#wake?.();
    if (this.#isOver || this.isCanceled) return;
    if (this.steps.length === MOST_STEPS) {
      this.site = recordStack();
      this.#giveUp(`fn has taken more than ${MOST_STEPS} steps, and each of them costs a run`);
      return;
    }
    this.steps.push(name);
    if (this.steps.length !== this.#last) return;
    this.site = recordStack();
    const cause = new Error(`ended at step ${this.#last}, ${name}`);
    // With this name, the end of a signal is that of a deadline.
    if (this.#end === "deadline") cause.name = "TimeoutError";
    this.#controller.abort(cause);
  }

  /** Ends the context, so that a function that does not end by itself does not go on. */
  #giveUp(reason: string): void {
    if (this.isCanceled) return;
    this.endless = reason;
    this.#controller.abort(new Error(reason));
  }

  /**
   * While the function runs: takes the step "waits" when a turn of the event loop has passed since the last
   * step, and then moves the clock, if there is one, from timer to timer.
   */
  async #passTime(clock: ManualClock | undefined): Promise<void> {
    let seen = -1;
    let hasWaited = false;
    let timers = 0;
    while (!this.#isOver) {
      await turn();
      if (this.#isOver) return;
      if (seen !== this.steps.length) hasWaited = false;
      else if (!hasWaited && seen > 0 && !this.isCanceled) {
        hasWaited = true;
        this.#step("waits");
      } else if (clock === undefined) {
        await new Promise<void>((resolve) => (this.#wake = resolve)); // until a step, or the end
      } else if (clock.advanceToNext()) {
        hasWaited = false;
        if (seen === 0 && ++timers > MOST_TIMERS) {
          this.#giveUp(`fn has waited for more than ${MOST_TIMERS} timers, and has taken no step`);
        }
      } else if (!(await this.#moves(clock, seen))) {
        this.#giveUp(
          `fn has waited for ${STUCK_AFTER} ms of real time, and no timer of the clock is set`,
        );
      }
      seen = this.steps.length;
    }
  }

  /** Resolves with whether the function goes on by itself, although no timer of the clock is set. */
  #moves(clock: ManualClock, steps: number): Promise<boolean> {
    const moves = (): boolean => this.#isOver || clock.timers > 0 || this.steps.length !== steps;
    return poll(moves, STUCK_AFTER);
  }
}

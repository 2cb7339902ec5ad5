import { callAt, now } from "../core/clock.ts";
import { throwIfDone } from "../core/context-state.ts";
import type { CancelableContext, Context } from "../core/context.ts";
import { withCancel } from "../core/derive.ts";
import { finish } from "../core/handle.ts";
import { startWork } from "../work/ledger.ts";
import type { Work } from "../work/types.ts";
import { Failures } from "./failures.ts";
import { superseded } from "./superseded.ts";
import type { Task } from "./task.ts";

/** When attempts start. */
export interface Plan {
  /** See `HedgeOptions`. */
  after: number;
  /** See `HedgeOptions`. */
  max: number;
  /** Returns whether an attempt beyond the first may start now, and counts it. */
  mayStartExtra: () => boolean;
}

/** The attempts of one call of `hedge`. */
export class Attempts<T> {
  readonly #ctx: Context;
  readonly #task: Task<T>;
  readonly #plan: Plan;
  /** The parent of the contexts of the attempts. */
  readonly #parent: CancelableContext;
  readonly #failures: Failures;
  #started = 0;
  #running = 0;
  #hasSettled = false;
  #resolve!: (result: T) => void;
  #reject!: (error: unknown) => void;
  #clearTimer: () => void = () => undefined;

  constructor(ctx: Context, task: Task<T>, plan: Plan) {
    this.#ctx = ctx;
    this.#task = task;
    this.#plan = plan;
    this.#parent = withCancel(ctx);
    this.#failures = new Failures(this.#parent);
  }

  run(): Promise<T> {
    return new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
      void this.#attempt();
      this.#setTimer();
    });
  }

  /** Never rejects. */
  async #attempt(): Promise<void> {
    const ctx = withCancel(this.#parent);
    const what = `attempt ${++this.#started}`;
    this.#running++;
    let work: Work | undefined;
    const ended = (): void => {
      this.#running--;
      work?.end();
      finish(ctx);
    };
    try {
      work = startWork(ctx, "hedge", what); // calls the `value()` of a foreign context
      // In a promise, so that attempts that throw at once do not nest.
      const result = await new Promise<T>((resolve) => resolve(this.#task(ctx)));
      ended();
      this.#succeed(result);
    } catch (error) {
      ended();
      this.#fail(error);
    }
  }

  #succeed(result: T): void {
    if (this.#hasSettled) return;
    this.#settle();
    this.#resolve(result);
    if (this.#running > 0) this.#parent.cancel(superseded());
    else finish(this.#parent);
  }

  #fail(error: unknown): void {
    if (this.#hasSettled) return;
    this.#failures.add(error);
    this.#startAnother();
    if (this.#running > 0) return;
    this.#settle();
    finish(this.#parent);
    try {
      throwIfDone(this.#ctx);
      this.#failures.throwFirst();
    } catch (failure) {
      this.#reject(failure);
    }
  }

  #settle(): void {
    this.#hasSettled = true;
    this.#clearTimer();
  }

  #startAnother(): void {
    this.#clearTimer();
    if (this.#started >= this.#plan.max || this.#parent.err() !== undefined) return;
    if (this.#plan.mayStartExtra()) void this.#attempt();
    this.#setTimer();
  }

  #setTimer(): void {
    const { after, max } = this.#plan;
    if (this.#started >= max || after === Infinity) return;
    this.#clearTimer = callAt(now() + after, () => this.#startAnother(), true);
  }
}

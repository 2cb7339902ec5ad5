import { afterFunc, type Stop } from "../core/after-func.ts";
import type { Context } from "../core/context.ts";

interface Waiter {
  resolve: () => void;
  reject: (err: Error) => void;
  next: Waiter | undefined;
}

/**
 * Lets at most `limit` tasks of one call run at once. Those that wait get their turn in order. It is
 * no `Semaphore`, because all callers share one context: one registration ends all waits.
 */
export class Turns {
  readonly #ctx: Context;
  #free: number;
  #first: Waiter | undefined;
  #last: Waiter | undefined;
  /** Set while tasks wait. */
  #unregister: Stop | undefined;

  constructor(ctx: Context, limit: number) {
    this.#ctx = ctx;
    this.#free = limit;
  }

  /** Whether a turn can be taken without a wait. */
  get isFree(): boolean {
    return this.#free > 0;
  }

  /**
   * Takes a turn. Returns `undefined` if one is free, and otherwise a promise that resolves when the
   * caller has the turn. It rejects with the context's error when the context ends. The caller then
   * has no turn.
   */
  take(): Promise<void> | undefined {
    if (this.#free > 0) {
      this.#free--;
      return undefined;
    }
    this.#unregister ??= afterFunc(this.#ctx, (err) => {
      this.#rejectAll(err);
    });
    return new Promise((resolve, reject) => {
      const waiter: Waiter = { resolve, reject, next: undefined };
      if (this.#last === undefined) this.#first = waiter;
      else this.#last.next = waiter;
      this.#last = waiter;
    });
  }

  /** Gives a turn back. If tasks wait, the one that has waited longest gets the turn. */
  give(): void {
    const waiter = this.#first;
    if (waiter === undefined) {
      this.#free++;
      return;
    }
    this.#first = waiter.next;
    if (this.#first === undefined) this.#clear();
    waiter.resolve();
  }

  #rejectAll(err: Error): void {
    let waiter = this.#first;
    this.#clear();
    for (; waiter !== undefined; waiter = waiter.next) waiter.reject(err);
  }

  #clear(): void {
    this.#first = this.#last = undefined;
    this.#unregister?.();
    this.#unregister = undefined;
  }
}

/**
 * The threads on which an engine inside this process works. All databases of the engine share them,
 * and a statement may hold one for minutes. A statement that waits for a thread inside the engine
 * cannot be stopped, because an interrupt acts only after it has begun. So statements wait here, and
 * leave as soon as their context ends.
 */
import type { Context } from "../../index.ts";
import { Places } from "../places.ts";

export class EngineThreads {
  readonly #all: Places;
  readonly #allButOne: Places;

  /** `count` is the number of threads of the engine, from 1. */
  constructor(count: number) {
    this.#all = new Places(count);
    this.#allButOne = new Places(Math.max(1, count - 1));
  }

  /**
   * Waits for a thread, and leaves one free: for a COMMIT, for the ROLLBACK of a statement that was
   * stopped, and for `takeLast`. Returns a function that gives the thread back, which may be called
   * repeatedly. Rejects with `ctx.err()` as soon as `ctx` ends.
   */
  async take(ctx: Context): Promise<() => void> {
    await this.#allButOne.take(ctx);
    const give = once(() => this.#allButOne.give());
    try {
      const giveLast = await this.takeLast(ctx);
      return () => {
        giveLast();
        give();
      };
    } catch (error) {
      give();
      throw error;
    }
  }

  /**
   * Does what `take` does, but leaves no thread free. It is for the statements of an open transaction
   * that holds locks. The statements that hold the other threads may wait for these locks.
   */
  async takeLast(ctx: Context): Promise<() => void> {
    await this.#all.take(ctx);
    return once(() => this.#all.give());
  }
}

function once(fn: () => void): () => void {
  let wasCalled = false;
  return () => {
    if (!wasCalled) fn();
    wasCalled = true;
  };
}

/** Returns the number of threads that an environment variable sets, or `fallback` if it sets none. */
export function threadsFrom(variable: string, fallback: number): number {
  const count = Number.parseInt(process.env[variable] ?? "", 10);
  return count >= 1 ? count : fallback;
}

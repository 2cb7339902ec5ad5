/**
 * The threads on which an engine inside this process works. All databases of the engine share them,
 * and a statement may hold one for minutes. A statement that waits for a thread inside the engine
 * cannot be stopped, because an interrupt acts only after it has begun. So statements wait here, and
 * leave as soon as their context ends.
 */
import { Semaphore, type Context } from "../../index.ts";

export class EngineThreads {
  readonly #all: Semaphore;
  readonly #allButOne: Semaphore;

  /** `count` is the number of threads of the engine, from 1. */
  constructor(count: number) {
    this.#all = new Semaphore(count);
    this.#allButOne = new Semaphore(Math.max(1, count - 1));
  }

  /**
   * Waits for a thread, and leaves one free: for a COMMIT, for the ROLLBACK of a statement that was
   * stopped, and for `takeLast`. Returns a function that gives the thread back, which may be called
   * repeatedly. Rejects with `ctx.err()` as soon as `ctx` ends.
   */
  async take(ctx: Context): Promise<() => void> {
    const turn = await this.#allButOne.acquire(ctx);
    try {
      const giveLast = await this.takeLast(ctx);
      return () => {
        giveLast();
        turn.release();
      };
    } catch (error) {
      turn.release();
      throw error;
    }
  }

  /**
   * Does what `take` does, but leaves no thread free. It is for the statements of an open transaction
   * that holds locks. The statements that hold the other threads may wait for these locks.
   */
  async takeLast(ctx: Context): Promise<() => void> {
    const thread = await this.#all.acquire(ctx);
    return () => thread.release();
  }
}

/** Returns the number of threads that an environment variable sets, or `fallback` if it sets none. */
export function threadsFrom(variable: string, fallback: number): number {
  const count = Number.parseInt(process.env[variable] ?? "", 10);
  return count >= 1 ? count : fallback;
}

/** Measures how a loop that computes finds out that it should stop, for each turn of the loop. */
import { setImmediate as immediate } from "node:timers/promises";
import { background, withTimeout, type Context } from "eightysix";
import type { Cases } from "../../cases/index.ts";
import { perAwaitedCheckpoint, perCheckpoint } from "../../measure/checkpoints.ts";
import { perTurn } from "../../measure/per-op.ts";
import { check } from "../measure.ts";

/** Measures under a context that has a deadline. */
async function underDeadline<T>(measure: (ctx: Context) => Promise<T>): Promise<T> {
  using ctx = withTimeout(background(), 3_600_000);
  return await measure(ctx);
}

export const cases: Cases = {
  ours: () => underDeadline(perCheckpoint),
  "ours-await": () => underDeadline(perAwaitedCheckpoint),

  /** Never lets the event loop turn, so nothing can abort the signal in the meantime. */
  async plain() {
    const { signal } = new AbortController();
    const value = await perTurn((n) => {
      for (let i = 0; i < n; i++) signal.throwIfAborted();
      return Promise.resolve();
    });
    check(!signal.aborted);
    return { value };
  },

  async immediate() {
    const { signal } = new AbortController();
    const value = await perTurn(async (n) => {
      for (let i = 0; i < n; i++) {
        signal.throwIfAborted();
        await immediate();
      }
    });
    return { value };
  },

  async effect() {
    const { Effect } = await import("effect");
    const loop = (n: number) =>
      Effect.gen(function* () {
        for (let i = 0; i < n; i++) yield* Effect.yieldNow;
      });
    const value = await perTurn((n) => Effect.runPromise(loop(n)));
    return { value };
  },
};

/** Measures the first of several tasks to settle. */
import { background, race, withCancel } from "eightysix";
import type { Cases } from "../../cases/index.ts";
import { perCall, tasksOf } from "../measure.ts";

const tasks = tasksOf(3);
const isFirst = (result: number): boolean => result === 0;

export const cases: Cases = {
  async ours() {
    const ctx = withCancel(background());
    return perCall(() => race(ctx, tasks), isFirst);
  },

  /** Leaves the other tasks running. */
  plain: () => perCall(() => Promise.race(tasks.map((task) => task())), isFirst),

  /** Cancels the other tasks, and waits for them. */
  "hand-made": () =>
    perCall(async () => {
      const controllers = tasks.map(() => new AbortController());
      const running = tasks.map((task) => task());
      try {
        return await Promise.race(running);
      } finally {
        for (const controller of controllers) controller.abort();
        await Promise.allSettled(running);
      }
    }, isFirst),

  async effect() {
    const { Effect } = await import("effect");
    const first = Effect.raceAllFirst(tasks.map((task) => Effect.promise(task)));
    return perCall(() => Effect.runPromise(first), isFirst);
  },
};

/** Measures the first of several tasks to succeed. The first task fails. */
import { any, background, withCancel } from "eightysix";
import type { Cases } from "../../cases/index.ts";
import { perCall, tasksOf } from "../measure.ts";

const failure = new Error("the first task failed");
const tasks = tasksOf(3);
// eslint-disable-next-line @typescript-eslint/require-await -- fails in its promise, as a task does
tasks[0] = async () => {
  throw failure;
};
const isSecond = (result: number): boolean => result === 1;

export const cases: Cases = {
  async ours() {
    const ctx = withCancel(background());
    return perCall(() => any(ctx, tasks), isSecond);
  },

  /** Leaves the other tasks running. */
  plain: () => perCall(() => Promise.any(tasks.map((task) => task())), isSecond),

  async effect() {
    const { Effect } = await import("effect");
    const first = Effect.raceAll(
      tasks.map((task) => Effect.tryPromise({ try: task, catch: (error) => error })),
    );
    return perCall(() => Effect.runPromise(first), isSecond);
  },
};

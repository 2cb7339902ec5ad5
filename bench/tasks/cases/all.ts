/** Measures tasks that run at the same time, and whose results are awaited. */
import { all, background, withCancel } from "eightysix";
import type { Case, Cases } from "../../cases/index.ts";
import { hasLength, perCall, tasksOf } from "../measure.ts";

const ours =
  (n: number): Case =>
  async () => {
    const ctx = withCancel(background());
    const tasks = tasksOf(n);
    return perCall(() => all(ctx, tasks), hasLength(n));
  };

const plain =
  (n: number): Case =>
  async () => {
    const tasks = tasksOf(n);
    return perCall(() => Promise.all(tasks.map((task) => task())), hasLength(n));
  };

const handMade =
  (n: number): Case =>
  async () => {
    const tasks = tasksOf(n);
    return perCall(() => cancelAndWait(tasks), hasLength(n));
  };

/** What people write by hand to cancel the other tasks after a failure, and to wait for them. */
async function cancelAndWait<T>(tasks: ((signal: AbortSignal) => Promise<T>)[]): Promise<T[]> {
  const controller = new AbortController();
  const running = tasks.map((task) => task(controller.signal));
  try {
    return await Promise.all(running);
  } catch (error) {
    controller.abort(error);
    await Promise.allSettled(running);
    throw error;
  }
}

const effect =
  (n: number): Case =>
  async () => {
    const { Effect } = await import("effect");
    const effects = tasksOf(n).map((task) => Effect.promise(task));
    const together = Effect.all(effects, { concurrency: "unbounded" });
    return perCall(() => Effect.runPromise(together), hasLength(n));
  };

export const cases: Cases = {
  "ours-10": ours(10),
  "ours-1k": ours(1_000),
  "plain-10": plain(10),
  "plain-1k": plain(1_000),
  "hand-made-10": handMade(10),
  "hand-made-1k": handMade(1_000),
  "effect-10": effect(10),
  "effect-1k": effect(1_000),
};

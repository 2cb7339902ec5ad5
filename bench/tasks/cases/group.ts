/** Measures tasks that a function starts one by one, and that it then waits for. */
import { background, group, withCancel } from "eightysix";
import type { Case, Cases } from "../../cases/index.ts";
import { perCall, tasksOf } from "../measure.ts";

const N = 100;

/** Returns tasks that count how many of them have ended, and the check of that count. */
function counted() {
  let ended = 0;
  const tasks = tasksOf(N).map((task) => async () => {
    await task();
    ended++;
  });
  return { tasks, isRight: () => ended % N === 0 && ended > 0 };
}

const ours =
  (limit: number): Case =>
  async () => {
    const { tasks, isRight } = counted();
    const ctx = withCancel(background());
    const call = () =>
      group(
        ctx,
        (g) => {
          for (const task of tasks) void g.go(task);
        },
        { limit },
      );
    return perCall(call, isRight);
  };

const queue =
  (concurrency: number): Case =>
  async () => {
    const { default: PQueue } = await import("p-queue");
    const { tasks, isRight } = counted();
    const call = async () => {
      const queue = new PQueue({ concurrency });
      for (const task of tasks) void queue.add(task);
      await queue.onIdle();
    };
    return perCall(call, isRight);
  };

const effect =
  (concurrency: number | "unbounded"): Case =>
  async () => {
    const { Effect } = await import("effect");
    const { tasks, isRight } = counted();
    const effects = tasks.map((task) => Effect.promise(task));
    const together = Effect.forEach(effects, (one) => one, { concurrency, discard: true });
    return perCall(() => Effect.runPromise(together), isRight);
  };

export const cases: Cases = {
  ours: ours(Infinity),
  "ours-limit": ours(4),
  "p-queue": queue(Infinity),
  "p-queue-limit": queue(4),
  effect: effect("unbounded"),
  "effect-limit": effect(4),
};

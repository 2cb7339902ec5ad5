/** Measures calls that share one run of a task. */
import { background, SingleFlight, withCancel } from "eightysix";
import type { Case, Cases } from "../../cases/index.ts";
import { hasLength, numbers, perCall, work } from "../measure.ts";

/** Measures `n` calls for the same key at the same time. `call` runs its task once for them all. */
const together =
  (n: number, open: () => (task: () => Promise<number>) => Promise<number>): Case =>
  async () => {
    const call = open();
    const calls = numbers(n);
    let runs = 0;
    const task = async (): Promise<number> => {
      runs++;
      return work(n - 1);
    };
    return perCall(
      () => Promise.all(calls.map(() => call(task))),
      (results) => runs === 1 && hasLength(n)(results),
    );
  };

const ours = () => {
  const ctx = withCancel(background());
  const flights = new SingleFlight<string, number>();
  return (task: () => Promise<number>) => flights.do(ctx, "key", task);
};

/** What people write by hand. No caller can leave, and nothing stops the task. */
const promises = () => {
  const running = new Map<string, Promise<number>>();
  return (task: () => Promise<number>) => {
    const known = running.get("key");
    if (known !== undefined) return known;
    const started = task().finally(() => running.delete("key"));
    running.set("key", started);
    return started;
  };
};

export const cases: Cases = {
  "ours-1": together(1, ours),
  "ours-100": together(100, ours),
  "plain-1": together(1, promises),
  "plain-100": together(100, promises),
};

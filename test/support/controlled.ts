/** Tasks and promises that a test controls and observes, step by step. */
import type { Context } from "../../src/index.ts";

/** A task that ends when the test says so. It records the context of each run. */
export function controlled() {
  const runs: { ctx: Context; succeed: (value: string) => void; fail: (error: unknown) => void }[] =
    [];
  const task = (ctx: Context): Promise<string> =>
    new Promise((succeed, fail) => runs.push({ ctx, succeed, fail }));
  return { runs, task };
}

/** Records how a promise settles, and that it does not settle before. */
export function outcome(promise: Promise<unknown>): { value?: unknown; error?: unknown } {
  const seen: { value?: unknown; error?: unknown } = {};
  promise.then(
    (value) => (seen.value = value),
    (error: unknown) => (seen.error = error),
  );
  return seen;
}

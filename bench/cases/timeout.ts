/**
 * Measures what every call with a timeout does: derive a child with a deadline that is not reached,
 * and cancel it.
 */
import { afterFunc, background, withCancel, withTimeout, type Context } from "eightysix";
import { collect } from "../measure/cpu.ts";
import { perOp } from "../measure/per-op.ts";
import { timeoutChild } from "./hand-made.ts";
import type { Case, Cases } from "./index.ts";

const MS = 60_000;
const reason = new Error("stop");
const nothing = () => undefined;

/**
 * Returns the deadlines of other requests, spread over an hour. They are watched, so that their
 * timers run.
 */
function otherRequests(parent: Context, n: number): Context[] {
  return Array.from({ length: n }, (_, i) => {
    const ctx = withTimeout(parent, MS + ((i * 7919) % 3_600_000));
    afterFunc(ctx, nothing);
    return ctx;
  });
}

const ours =
  (live: number, watch: boolean): Case =>
  async () => {
    const parent = withCancel(background());
    const others = otherRequests(parent, live);
    await collect(); // so that marking the new heap is not measured
    const op = () => {
      const ctx = withTimeout(parent, MS);
      if (watch) afterFunc(ctx, nothing);
      ctx.cancel();
      return ctx;
    };
    const value = await perOp(op, (ctx) => ctx.err() !== undefined && parent.err() === undefined);
    if (others.some((ctx) => ctx.err() !== undefined))
      throw new Error("the other requests must live");
    return { value };
  };

const cleared = () => !process.getActiveResourcesInfo().includes("Timeout");

const timers =
  (live: number): Case =>
  async () => {
    for (let i = 0; i < live; i++) setTimeout(nothing, MS + ((i * 7919) % 3_600_000)).unref();
    await collect();
    const op = () => {
      const timer = setTimeout(nothing, MS);
      clearTimeout(timer);
      return timer;
    };
    return { value: await perOp(op, cleared) };
  };

export const cases: Cases = {
  ours: ours(0, false),
  "ours-100k": ours(100_000, false),
  "ours-1000k": ours(1_000_000, false),
  "ours-watched": ours(0, true),
  "ours-watched-100k": ours(100_000, true),
  "ours-watched-1000k": ours(1_000_000, true),

  timer: timers(0),
  "timer-100k": timers(100_000),

  async "hand-made"() {
    const parent = new AbortController();
    const op = () => {
      const child = timeoutChild(parent.signal, MS);
      child.cancel(reason);
      return child.signal;
    };
    return { value: await perOp(op, (signal) => signal.aborted && signal.reason === reason) };
  },

  async "any-timeout"() {
    const parent = new AbortController();
    // A timeout signal cannot be canceled. The garbage collector frees it and its timer.
    const op = () => AbortSignal.any([parent.signal, AbortSignal.timeout(MS)]);
    return { value: await perOp(op, (signal) => !signal.aborted) };
  },
};

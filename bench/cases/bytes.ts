/** Measures the heap bytes of one live context of each kind. */
import { afterFunc, background, key, withCancel, withTimeout, withValue } from "eightysix";
import { do_not_optimize } from "mitata";
import { bytesLive } from "../measure/bytes.ts";
import { listenerChild, timeoutChild } from "./hand-made.ts";
import type { Case, Cases } from "./index.ts";

const MS = 3_600_000;
const K = key<number>("k");
const nothing = () => undefined;
const parent = withCancel(background());

const live =
  (make: (i: number) => unknown, n?: number): Case =>
  async () => ({ value: await bytesLive(make, n) });

/** A smaller number, because each listener is compared with all before it. */
const FEW = 10_000;
let signal = new AbortController().signal;
/**
 * Returns a new parent for every 100 children. With one parent, the comparison would take minutes.
 * A child has the same size.
 */
const freshParent = (i: number) =>
  i % 100 === 0 ? (signal = new AbortController().signal) : signal;

export const cases: Cases = {
  "ours-cancel": live(() => withCancel(parent)),
  "ours-timeout": live(() => withTimeout(parent, MS)),
  "ours-value": live((i) => withValue(parent, K, i & 1023)),
  "ours-cancel-after-func": live(() => {
    const ctx = withCancel(parent);
    afterFunc(ctx, nothing);
    return ctx;
  }),
  "ours-timeout-after-func": live(() => {
    const ctx = withTimeout(parent, MS);
    afterFunc(ctx, nothing);
    return ctx;
  }),
  "ours-cancel-signal": live(() => {
    const ctx = withCancel(parent);
    do_not_optimize(ctx.signal);
    return ctx;
  }),

  controller: live(() => {
    const own = new AbortController();
    do_not_optimize(own.signal);
    return own;
  }),
  "listener-child": live((i) => listenerChild(freshParent(i)), FEW),
  "timeout-child": live((i) => timeoutChild(freshParent(i), MS), FEW),
  "any-timeout": live((i) => AbortSignal.any([freshParent(i), AbortSignal.timeout(MS)]), FEW),
  timer: live(() => setTimeout(nothing, MS).unref()),
};

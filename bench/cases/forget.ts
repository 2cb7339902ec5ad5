/**
 * Measures what a child leaves on a parent that lives as long as the process, if it is never
 * canceled.
 */
import { afterFunc, background, key, withCancel, withTimeout, withValue } from "eightysix";
import { forgotten } from "../measure/bytes.ts";
import { quick } from "../measure/quick.ts";
import type { Case, Cases } from "./index.ts";

const MILLION = quick ? 100_000 : 1_000_000;
const K = key<number>("k");
const nothing = () => undefined;

const parent = withCancel(background());
const controller = new AbortController();

const forget =
  (op: (i: number) => unknown, n = MILLION): Case =>
  async () => {
    const left = await forgotten(op, n);
    if (parent.err() !== undefined || controller.signal.aborted)
      throw new Error("the parent ended during the measurement");
    return { ...left };
  };

export const cases: Cases = {
  "ours-cancel": forget(() => withCancel(parent)),
  "ours-timeout": forget(() => withTimeout(parent, 3_600_000)),
  "ours-value": forget((i) => withValue(withCancel(parent), K, i)),
  "ours-stopped": forget(() => {
    const stop = afterFunc(withCancel(parent), nothing);
    if (!stop()) throw new Error("not stopped");
  }),
  "ours-timeout-stopped": forget(() => {
    const stop = afterFunc(withTimeout(parent, 3_600_000), nothing);
    if (!stop()) throw new Error("not stopped");
  }),
  /** Watched and never canceled. The context is kept, because its callback must still be called. */
  "ours-watched": forget(() => afterFunc(withCancel(parent), nothing), MILLION / 10),

  // The rest use fewer children, because they slow down with their number: a listener is compared
  // with all before it, and Node 22 visits all signals to clean up.
  listener: forget(() => {
    const own = new AbortController();
    controller.signal.addEventListener("abort", () => own.abort(), { once: true });
  }, 10_000),
  any: forget(() => AbortSignal.any([controller.signal, new AbortController().signal]), 10_000),
  "any-listener": forget(() => {
    AbortSignal.any([controller.signal]).addEventListener("abort", nothing);
  }, 10_000),
};

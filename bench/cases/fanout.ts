/**
 * Measures one parent with very many children, and one very long chain: derive all, then cancel the
 * eldest.
 */
import { afterFunc, background, withCancel, type Context } from "eightysix";
import { collect, cpuNow, median, turn } from "../measure/cpu.ts";
import { quick } from "../measure/quick.ts";
import { listenerChild } from "./hand-made.ts";
import type { Case, Cases, Figures } from "./index.ts";

/**
 * A parent and its descendants. `cancel` ends the eldest, and `ended` counts the members that have
 * ended.
 */
interface Family {
  cancel(): void;
  ended(): number;
}

/**
 * Measures the CPU time for each member: to derive all, to cancel all, and until the last callback
 * has run.
 */
async function family(
  n: number,
  derive: (n: number) => Family,
  rounds = Math.max(3, Math.ceil((quick ? 20_000 : 300_000) / n)),
): Promise<Figures> {
  const derived: number[] = [];
  const canceled: number[] = [];
  const told: number[] = [];
  for (let round = 0; round < rounds; round++) {
    // Frees the last family first, so that its collection is not measured. Skipped for small
    // families, where it would take too long.
    if (n >= 10_000 || round === 0) await collect();
    const start = cpuNow();
    const members = derive(n);
    const middle = cpuNow();
    members.cancel();
    const after = cpuNow();
    await turn();
    const end = cpuNow();
    if (members.ended() !== n) throw new Error(`${members.ended()} of ${n} ended`);
    derived.push((middle - start) / n);
    canceled.push((after - middle) / n);
    told.push((end - after) / n);
  }
  return { derive: median(derived), cancel: median(canceled), told: median(told) };
}

const count = <T>(all: readonly T[], ended: (one: T) => boolean): number =>
  all.reduce((sum, one) => sum + (ended(one) ? 1 : 0), 0);

type Watch = "unwatched" | "afterFunc" | "signal";

const ours =
  (n: number, watch: Watch): Case =>
  () =>
    family(n, () => {
      const parent = withCancel(background());
      let told = 0;
      const tell = () => {
        told++;
      };
      const all = new Array<Context>(n);
      for (let i = 0; i < n; i++) {
        const child = (all[i] = withCancel(parent));
        if (watch === "afterFunc") afterFunc(child, tell);
        else if (watch === "signal") child.signal.addEventListener("abort", tell);
      }
      return {
        cancel: () => parent.cancel(),
        ended: () => (watch === "unwatched" ? count(all, (ctx) => ctx.err() !== undefined) : told),
      };
    });

const descent =
  (n: number, watch: boolean): Case =>
  () =>
    family(n, () => {
      const eldest = withCancel(background());
      const all = new Array<Context>(n);
      let youngest: Context = eldest;
      for (let i = 0; i < n; i++) all[i] = youngest = withCancel(youngest);
      let told = !watch;
      if (watch) {
        afterFunc(youngest, () => {
          told = true;
        });
      }
      return {
        cancel: () => eldest.cancel(),
        // The youngest first: no context between has been asked yet, so its answer comes from the
        // eldest.
        ended: () => (told ? count(all.reverse(), (ctx) => ctx.err() !== undefined) : 0),
      };
    });

export const cases: Cases = {
  "ours-1k": ours(1_000, "afterFunc"),
  "ours-100k": ours(100_000, "afterFunc"),
  "ours-1000k": ours(1_000_000, "afterFunc"),
  "ours-unwatched-1000k": ours(1_000_000, "unwatched"),
  "ours-signal-100k": ours(100_000, "signal"),
  "ours-deep-1000k": descent(1_000_000, true),
  "ours-deep-unwatched-1000k": descent(1_000_000, false),

  // At most 10,000, because each listener is compared with all before it.
  "listener-10k": () => {
    const derive = (n: number): Family => {
      const parent = new AbortController();
      const all = Array.from({ length: n }, () => listenerChild(parent.signal));
      return {
        cancel: () => parent.abort(),
        ended: () => count(all, (child) => child.signal.aborted),
      };
    };
    return family(10_000, derive, 3); // each round takes a second
  },

  "any-100k": () =>
    family(100_000, (n) => {
      const parent = new AbortController();
      const all = Array.from({ length: n }, () => AbortSignal.any([parent.signal]));
      return { cancel: () => parent.abort(), ended: () => count(all, (signal) => signal.aborted) };
    }),
};

/** What the descriptions of engines share: whether an engine inside this process computes. */
import { cpu, delay } from "../embedded.ts";

/** Milliseconds for which the CPU time of this process is watched. */
const WINDOW = 30;

/**
 * Resolves with whether an engine computes. No engine says what it runs, so this asks for the CPU time
 * of the process, whose other threads do nothing in the meantime. Three windows in a row must agree:
 * garbage collection looks like an engine in one or two, and a busy machine may stop an engine for one.
 */
export async function isComputing(): Promise<boolean> {
  let last: boolean | undefined;
  for (let agreeing = 0; agreeing < 3;) {
    const before = cpu();
    const then = performance.now();
    await delay(WINDOW);
    const isBusy = cpu() - before > (performance.now() - then) / 10;
    agreeing = isBusy === last ? agreeing + 1 : 1;
    last = isBusy;
  }
  return last === true;
}

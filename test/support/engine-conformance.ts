/** What the descriptions of engines share: whether an engine inside this process computes. */
import { cpu, delay } from "../embedded.ts";

/** Milliseconds for which the CPU time of this process is watched. */
const WINDOW = 30;

/**
 * Resolves with whether an engine computes. No engine says what it runs, so this asks for the CPU time
 * of the process, whose other threads do nothing in the meantime. Two windows in a row must agree:
 * garbage collection looks like an engine in one window, and a busy machine may stop an engine for one.
 */
export async function isComputing(): Promise<boolean> {
  for (let last: boolean | undefined; ;) {
    const before = cpu();
    const then = performance.now();
    await delay(WINDOW);
    const isBusy = cpu() - before > (performance.now() - then) / 10;
    if (isBusy === last) return isBusy;
    last = isBusy;
  }
}

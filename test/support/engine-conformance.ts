/** What the descriptions of engines share: whether an engine inside this process computes. */
import { readdirSync, readFileSync } from "node:fs";
import { cpu, delay } from "../embedded.ts";

/** Milliseconds between two looks at the threads of this process. */
const PAUSE = 15;
/** Milliseconds for which the CPU time of this process is watched. */
const WINDOW = 30;

/**
 * Resolves with whether an engine computes. No engine says what it runs, so this looks at the threads of
 * the process. Three looks in a row must agree: garbage collection looks like an engine in one or two.
 */
export async function isComputing(): Promise<boolean> {
  const look = process.platform === "linux" ? hasBusyThread : usesCpu;
  let last: boolean | undefined;
  for (let agreeing = 0; agreeing < 3;) {
    const isBusy = await look();
    agreeing = isBusy === last ? agreeing + 1 : 1;
    last = isBusy;
  }
  return last === true;
}

/**
 * Whether a thread other than the event loop's runs or waits for a CPU. On a busy machine, a thread that
 * computes may get no CPU time for a while, but it waits for some.
 */
async function hasBusyThread(): Promise<boolean> {
  await delay(PAUSE);
  return readdirSync("/proc/self/task").some((id) => {
    if (Number(id) === process.pid) return false;
    try {
      const text = readFileSync(`/proc/self/task/${id}/stat`, "latin1");
      return "RD".includes(text.charAt(text.lastIndexOf(")") + 2));
    } catch {
      return false; // it has just ended
    }
  });
}

async function usesCpu(): Promise<boolean> {
  const before = cpu();
  const then = performance.now();
  await delay(WINDOW);
  return cpu() - before > (performance.now() - then) / 10;
}

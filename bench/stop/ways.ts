/** The ways of aborting that do not depend on the driver. */
import { background, withCancel, type Context } from "eightysix";
import { ABORT_AFTER, WORK, type Attempt, type Way } from "./driver.ts";

/** What most programs do today: the caller leaves, and the operation continues. */
export function promiseRace(operation: () => Promise<unknown>): Way {
  return {
    what: "Promise.race",
    start(): Attempt {
      const over = operation();
      let abort: (() => void) | undefined;
      const aborted = new Promise((_, reject) => {
        abort = () => reject(new Error("gave up waiting"));
      });
      return { answer: Promise.race([over, aborted]), over, abort: () => abort?.() };
    },
  };
}

/** The driver's own time limit. Only time triggers it. */
export function timeLimit(what: string, operation: (ms: number) => Promise<unknown>): Way {
  // Leaves the server enough time to say that the operation runs.
  const limit = 2 * ABORT_AFTER;
  return { what, start: () => ({ answer: operation(limit), abort: limit }) };
}

/** A method of the driver that can be called at any time. */
export function onDemand(what: string, start: Way["start"]): Way {
  return { what, start };
}

export function withOurs(operation: (ctx: Context) => Promise<unknown>): Way {
  return {
    what: "withContext",
    start(): Attempt {
      const ctx = withCancel(background());
      return { answer: operation(ctx), abort: () => ctx.cancel() };
    },
  };
}

/** Returns the size at which `run` takes about `WORK` milliseconds. */
export async function sizeOf(run: (size: number) => Promise<unknown>): Promise<number> {
  for (let size = 1_000; ; size *= 4) {
    const began = performance.now();
    await run(size);
    const took = performance.now() - began;
    if (took > 100) return Math.round((size * WORK) / took);
  }
}

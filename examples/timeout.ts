/**
 * Gives a task that needs five seconds a timeout of two seconds, and tells why the task stopped.
 *
 * prints: stopped after 2 s: context deadline exceeded
 */
import { background, isContextError, sleep, withTimeout, type Context } from "eightysix";

async function doWork(ctx: Context): Promise<void> {
  await sleep(ctx, 5_000); // stands for the work; its timer is cleared when ctx ends
  console.log("finished");
}

const start = performance.now();
using ctx = withTimeout(background(), 2_000); // ends at the end of the block, also after an error
try {
  await doWork(ctx);
} catch (error) {
  if (!isContextError(error)) throw error; // a failure of the work itself
  const seconds = Math.floor((performance.now() - start) / 1_000);
  console.log(`stopped after ${seconds} s: ${error.message}`);
}

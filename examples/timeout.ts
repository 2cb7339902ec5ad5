/**
 * Work of five seconds under a timeout of two says why it stopped.
 *
 * prints: stopped after 2 s: context deadline exceeded
 */
import { background, isContextError, sleep, withTimeout, type Context } from "eightysix";

async function doWork(ctx: Context): Promise<void> {
  await sleep(ctx, 5_000); // its timer is cleared when ctx is done
  console.log("finished");
}

const start = performance.now();
using ctx = withTimeout(background(), 2_000); // ended at the end of the block, whatever happens
try {
  await doWork(ctx);
} catch (error) {
  if (!isContextError(error)) throw error;
  const seconds = Math.floor((performance.now() - start) / 1_000);
  console.log(`stopped after ${seconds} s: ${error.message}`);
}

/**
 * Work of five seconds under a timeout of two says why it stopped.
 *
 * prints: stopped after 2 s: context deadline exceeded
 */
import { background, isContextError, sleep, withTimeout } from "eightysix";

/** @param {import("eightysix").Context} ctx */
async function doWork(ctx) {
  await sleep(ctx, 5_000); // its timer is cleared when ctx is done
  console.log("finished");
}

const start = performance.now();
const ctx = withTimeout(background(), 2_000);
try {
  await doWork(ctx);
} catch (error) {
  if (!isContextError(error)) throw error;
  const seconds = Math.floor((performance.now() - start) / 1_000);
  console.log(`stopped after ${seconds} s: ${error.message}`);
} finally {
  ctx[Symbol.dispose](); // what `using` calls: the work is over
}

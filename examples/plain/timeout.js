/**
 * Gives a task that needs five seconds a timeout of two seconds, and tells why the task stopped.
 *
 * prints: stopped after 2 s: context deadline exceeded
 */
import { background, isContextError, sleep, withTimeout } from "eightysix";

/** @param {import("eightysix").Context} ctx */
async function doWork(ctx) {
  await sleep(ctx, 5_000); // stands for the work; its timer is cleared when ctx ends
  console.log("finished");
}

const start = performance.now();
const ctx = withTimeout(background(), 2_000);
try {
  await doWork(ctx);
} catch (error) {
  if (!isContextError(error)) throw error; // a failure of the work itself
  const seconds = Math.floor((performance.now() - start) / 1_000);
  console.log(`stopped after ${seconds} s: ${error.message}`);
} finally {
  ctx[Symbol.dispose](); // `using ctx = …` would call this
}

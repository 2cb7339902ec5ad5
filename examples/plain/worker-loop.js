/**
 * Workers that stop at their next turn when they are canceled.
 *
 * prints: worker 1 stopped after … turns: context canceled (Error: shutting down)
 * prints: worker 2 stopped after … turns: context canceled (Error: shutting down)
 * prints: turns begun after the cancel: 0
 */
import { setTimeout as delay } from "node:timers/promises";
import { background, sleep, withCancel } from "eightysix";

/** @type {number[]} */
const begun = [];

/** @param {import("eightysix").Context} ctx @param {number} id */
async function worker(ctx, id) {
  for (let turns = 0; ; turns++) {
    const err = ctx.err();
    if (err !== undefined) {
      console.log(
        `worker ${id} stopped after ${turns} turns: ${err.message} (${String(err.cause)})`,
      );
      return;
    }
    begun.push(performance.now());
    await delay(50); // a job that knows nothing of contexts; one that does would be handed ctx
  }
}

const ctx = withCancel(background());
try {
  const workers = [worker(ctx, 1), worker(ctx, 2)];

  await sleep(background(), 230);
  const canceledAt = performance.now();
  ctx.cancel(new Error("shutting down"));
  await Promise.all(workers); // cancel() does not wait: the jobs in hand are finished first

  const late = begun.filter((at) => at > canceledAt);
  console.log(`turns begun after the cancel: ${late.length}`);
} finally {
  ctx[Symbol.dispose](); // what `using` calls; nothing happens if it has ended
}

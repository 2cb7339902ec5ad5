/**
 * Runs two workers in loops until they are canceled. A worker finishes its current job, and starts
 * no new one.
 *
 * prints: worker 1 stopped after … jobs: context canceled (Error: shutting down)
 * prints: worker 2 stopped after … jobs: context canceled (Error: shutting down)
 * prints: jobs started after the cancel: 0
 */
import { setTimeout as delay } from "node:timers/promises";
import { background, sleep, withCancel, type Context } from "eightysix";

const started: number[] = [];

// A job that takes a context would get ctx, and stop at once.
const job = (): Promise<void> => delay(50);

async function worker(ctx: Context, id: number): Promise<void> {
  for (let jobs = 0; ; jobs++) {
    const err = ctx.err();
    if (err !== undefined) {
      console.log(`worker ${id} stopped after ${jobs} jobs: ${err.message} (${String(err.cause)})`);
      return;
    }
    started.push(performance.now());
    await job();
  }
}

using ctx = withCancel(background());
const workers = [worker(ctx, 1), worker(ctx, 2)];

await sleep(background(), 230);
const canceledAt = performance.now();
ctx.cancel(new Error("shutting down"));
await Promise.all(workers); // cancel() does not wait, so wait for the current jobs here

const late = started.filter((at) => at > canceledAt);
console.log(`jobs started after the cancel: ${late.length}`);

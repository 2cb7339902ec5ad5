/**
 * Reports every 20 ms until the job ends. During a report that takes too long, ticks are missed. The
 * ticks after it come when they would have come without it.
 *
 * prints: report 1, missed 0
 * prints: report …, missed …
 * prints: no more reports: context canceled
 */
import { background, interval, sleep, withCancel } from "eightysix";

using job = withCancel(background());
let last = 0;
try {
  for await (const tick of interval(job, 20)) {
    console.log(`report ${tick}, missed ${tick - last - 1}`);
    // The first report takes longer than two intervals.
    if (last === 0) await sleep(job, 50);
    else job.cancel();
    last = tick;
  }
} catch {
  console.log("no more reports:", job.err()?.message);
}

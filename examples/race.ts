/**
 * Waits for the first of two events: a message, or the end of the maintenance window. The wait that
 * lost is canceled, and has ended when `race` returns.
 *
 * prints: the window has closed
 * prints: waiters: 0
 */
import { afterFunc, background, race, sleep, type Context } from "eightysix";

const waiters = new Set<(message: string) => void>();

/** Waits for a message, and leaves the list of waiters when its context ends. */
async function nextMessage(ctx: Context): Promise<string> {
  return new Promise((resolve, reject) => {
    waiters.add(resolve);
    afterFunc(ctx, (err) => {
      waiters.delete(resolve);
      reject(err);
    });
  });
}

const event = await race(background(), [
  (ctx) => nextMessage(ctx),
  (ctx) => sleep(ctx, 50).then(() => "the window has closed"),
]);
console.log(event);
console.log("waiters:", waiters.size);

/**
 * Resizes images, and holds at most 100 megabytes of them in memory. A large image waits until enough
 * memory is free, and no later image overtakes it. A request that leaves the queue holds nothing.
 *
 * prints: small starts, 40 MB free
 * prints: given up: context canceled (Error: the client has left)
 * prints: large starts, 10 MB free
 * prints: later starts, 40 MB free
 * prints: 100 MB free, 0 waiting
 */
import { background, isCanceled, Semaphore, sleep, withCancel, type Context } from "eightysix";

const megabytes = new Semaphore(100);

async function resize(ctx: Context, name: string, size: number): Promise<void> {
  const work = async (ctx: Context): Promise<void> => {
    console.log(`${name} starts, ${megabytes.free} MB free`);
    await sleep(ctx, 20); // the work itself, which stops when ctx ends
  };
  await megabytes.use(ctx, work, size);
}

using app = withCancel(background());
using impatient = withCancel(app);

const small = resize(app, "small", 60);
const given = resize(impatient, "huge", 100).catch((err: unknown) => {
  if (!isCanceled(err)) throw err;
  console.log(`given up: ${err.message} (${String(err.cause)})`);
});
const large = resize(app, "large", 90);
const later = resize(app, "later", 60);

impatient.cancel(new Error("the client has left"));
await Promise.all([small, given, large, later]);
console.log(`${megabytes.free} MB free, ${megabytes.waiting} waiting`);

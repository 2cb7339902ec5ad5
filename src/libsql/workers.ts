/**
 * The worker threads of the driver. `prepare` and the start of a statement hold one, and a statement
 * may hold it for minutes. If statements held them all, the next `prepare` would wait for a worker
 * without a way to stop it, and so would the ROLLBACK of a statement that was stopped.
 *
 * So the databases of the process leave one worker free. The driver runs on tokio, which starts one
 * worker for each processor, or as many as `TOKIO_WORKER_THREADS` says.
 * https://docs.rs/tokio/latest/tokio/runtime/struct.Builder.html#method.worker_threads
 */
import { availableParallelism } from "node:os";
import { Places } from "../adapter/index.ts";
import type { Context } from "../index.ts";

const configured = Number(process.env["TOKIO_WORKER_THREADS"]);
const workers = configured > 0 ? configured : availableParallelism();
const places = new Places(Math.max(1, workers - 1));

/**
 * Waits for a worker. Returns a function that gives it back, which may be called repeatedly. Rejects
 * with `ctx.err()` when `ctx` ends.
 */
export async function takeWorker(ctx: Context): Promise<() => void> {
  await places.take(ctx);
  let isTaken = true;
  return () => {
    if (isTaken) places.give();
    isTaken = false;
  };
}

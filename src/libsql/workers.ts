/**
 * The worker threads of the driver, which runs on tokio. `prepare` and the start of a statement hold
 * one until the first row. Tokio starts one worker for each processor, or as many as
 * `TOKIO_WORKER_THREADS` says.
 * https://docs.rs/tokio/latest/tokio/runtime/struct.Builder.html#method.worker_threads
 */
import { availableParallelism } from "node:os";
import { EngineThreads, threadsFrom } from "../adapter/index.ts";

export const workers = new EngineThreads(
  threadsFrom("TOKIO_WORKER_THREADS", availableParallelism()),
);

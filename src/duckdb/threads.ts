/**
 * The threads of the driver, which are libuv's. Each call of the driver that returns a promise runs
 * on one of them until that promise settles.
 * https://docs.libuv.org/en/v1.x/threadpool.html
 *
 * Statements of a transaction leave a thread free too, because DuckDB has no locks that others could
 * wait for: of two changes to one row, the later one fails.
 */
import { EngineThreads, threadsFrom } from "../adapter/index.ts";

export const threads = new EngineThreads(threadsFrom("UV_THREADPOOL_SIZE", 4));

/** The documents of a query, fetched in batches. Each fetch is an operation that can be stopped. */
import { afterFunc, type Context } from "../index.ts";
import { handOver, type Rows, rowsOf, runStoppable, STOP_TIMEOUT } from "../adapter/index.ts";
import type { CallOptions, CollectionOrDb, DriverCursor } from "./driver.ts";
import { isStop, RunningCall } from "./running-call.ts";
import type { ContextCursor } from "./types.ts";

/** Returns a cursor. Its query is sent when the first document is read. */
export function createCursor(
  ctx: Context,
  kind: string,
  target: CollectionOrDb,
  callOptions: CallOptions,
  open: (options: CallOptions) => DriverCursor,
): ContextCursor<unknown> {
  const iterate = (): AsyncGenerator =>
    rowsOf(ctx, (streamCtx) => {
      const call = new RunningCall(streamCtx, target, callOptions);
      return Promise.resolve(batches(streamCtx, kind, target.namespace, call, open(call.options)));
    });
  const toArray = handOver(async (_ctx: Context) => {
    const all: unknown[] = [];
    for await (const document of iterate()) all.push(document);
    return all;
  });
  return {
    [Symbol.asyncIterator]: iterate,
    toArray: () => toArray(ctx),
  };
}

function batches(
  ctx: Context,
  kind: string,
  what: string,
  call: RunningCall,
  driverCursor: DriverCursor,
): Rows<unknown> {
  let state: "stopped" | "abandoned" = "stopped";
  let isFetching = false;
  // Between two batches nothing runs, but the server keeps the cursor open for ten minutes.
  const unwatch = afterFunc(ctx, () => {
    if (!isFetching) void closeWithin(STOP_TIMEOUT, driverCursor);
  });
  return {
    async next() {
      isFetching = true;
      const first = await runStoppable(ctx, {
        kind,
        what,
        start(resolver) {
          call.run(resolver, () => driverCursor.next());
          return undefined;
        },
        stop: () => call.stop(),
        isStop,
        destroy: () => call.close(),
        release: (end) => void ({ state } = end),
      });
      isFetching = false;
      return first === null ? undefined : [first, ...driverCursor.readBufferedDocuments()];
    },
    async close() {
      unwatch();
      await closeWithin(STOP_TIMEOUT, driverCursor);
      call.release({ state });
    },
  };
}

/** Closes a cursor of the driver. Resolves after `ms` milliseconds if the server does not answer. */
async function closeWithin(ms: number, driverCursor: DriverCursor): Promise<void> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const timeout = new Promise<void>((resolve) => (timer = setTimeout(resolve, ms)));
  await Promise.race([driverCursor.close().catch(() => undefined), timeout]);
  clearTimeout(timer);
}

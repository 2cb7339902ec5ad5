/** What a query finds, fetched batch by batch, each of which is an operation that can be stopped. */
import { afterFunc, type Context } from "../index.ts";
import { rowsOf, type Rows } from "../adapter/rows.ts";
import { STOP_TIMEOUT, runStoppable } from "../adapter/stoppable.ts";
import type { DriverCursor, Options, Target } from "./driver.ts";
import { isStop, RunningCall } from "./running-call.ts";
import type { Cursor } from "./types.ts";

export function cursor(
  ctx: Context,
  kind: string,
  target: Target,
  asked: Options,
  open: (options: Options) => DriverCursor,
): Cursor<unknown> {
  const iterate = (): AsyncGenerator =>
    rowsOf(ctx, (scope) => {
      const reach = new RunningCall(scope, target, asked);
      return Promise.resolve(batches(scope, kind, target.namespace, reach, open(reach.options)));
    });
  return {
    [Symbol.asyncIterator]: iterate,
    async toArray() {
      const all: unknown[] = [];
      for await (const document of iterate()) all.push(document);
      return all;
    },
  };
}

function batches(
  ctx: Context,
  kind: string,
  what: string,
  reach: RunningCall,
  source: DriverCursor,
): Rows<unknown> {
  let state: "stopped" | "abandoned" = "stopped";
  let fetching = false;
  // Between two batches nothing runs, though the server keeps the cursor for ten minutes.
  const takeBack = afterFunc(ctx, () => {
    if (!fetching) void closed(source);
  });
  return {
    async next() {
      fetching = true;
      const first = await runStoppable(ctx, {
        kind,
        what,
        start: () => reach.run(() => source.next()),
        stop: () => reach.stop(),
        isStop,
        destroy: () => reach.close(),
        release: (end) => (state = end),
      });
      fetching = false;
      return first === null ? undefined : [first, ...source.readBufferedDocuments()];
    },
    async close() {
      takeBack();
      await closed(source);
      reach.over(state);
    },
  };
}

/** Bounded, because the server may not answer. */
async function closed(source: DriverCursor): Promise<void> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<void>((resolve) => (timer = setTimeout(resolve, STOP_TIMEOUT)));
  await Promise.race([source.close().catch(() => undefined), late]);
  clearTimeout(timer);
}

/** `onDisconnect: "continue"`: work that must not stop half way because its client has left. */
import { afterFunc, merge, withLedger, withoutCancel, type Context } from "../../index.ts";
import { trackerOf } from "./request-tracker.ts";
import { withLimits } from "./limits.ts";
import type { RequestLike } from "../types.ts";
import { requestFinished } from "./causes.ts";
import type { RequestContextOptions } from "./options.ts";
import { statusOf } from "../respond/status.ts";

/**
 * A context of the request that goes on without its client, and what to call when its work is over.
 * It is one more context and not a setting of the first: somebody may have asked for that before.
 */
export function continueAfterDisconnect(
  client: Context,
  req: RequestLike,
  options: RequestContextOptions<never>,
): { ctx: Context; settled: () => void } {
  const home = trackerOf(req);
  const ends = [options.parent, home?.requests].filter((ctx) => ctx !== undefined);
  const scope = merge(withoutCancel(client), ...ends);
  let leave: (() => void) | undefined;
  let isSettled = false;
  let isOver = false;
  const end = (): void => {
    if (!isSettled || !isOver) return;
    scope.cancel(requestFinished);
    leave?.();
  };
  afterFunc(client, (err) => {
    isOver = true;
    if (!isSettled && statusOf(err) === 499) leave = home?.continues();
    end();
  });
  return {
    ctx: withLedger(withLimits(scope, req, options) ?? scope),
    settled() {
      isSettled = true;
      end();
    },
  };
}

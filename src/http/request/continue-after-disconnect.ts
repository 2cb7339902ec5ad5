/** `onDisconnect: "continue"`: the context of a handler that must not stop with its client. */
import { afterFunc, merge, withLedger, withoutCancel, type Context } from "../../index.ts";
import { finishRequest } from "../../internal.ts";
import { trackerOf } from "./request-tracker.ts";
import { withLimits } from "./limits.ts";
import type { RequestLike } from "../types.ts";
import { requestFinished } from "./causes.ts";
import type { RequestContextOptions } from "./options.ts";
import { statusOf } from "../respond/status.ts";

/**
 * Returns a context of the request that ignores the client's disconnect. The caller calls `settled`
 * when the promise of its handler has settled. The context ends as finished when the handler has
 * settled and the request has ended too.
 *
 * It is a second context, and not a setting of `client`, because `requestContext` may have returned
 * `client` before.
 */
export function continueAfterDisconnect(
  client: Context,
  req: RequestLike,
  options: RequestContextOptions<never>,
): { ctx: Context; settled: () => void } {
  const tracker = trackerOf(req);
  const parents = [options.parent, tracker?.requests].filter((ctx) => ctx !== undefined);
  const continuing = merge(withoutCancel(client), ...parents);
  const ctx = withLedger(withLimits(continuing, req, options) ?? continuing);
  let release: (() => void) | undefined;
  let hasSettled = false;
  let hasEnded = false;
  const endIfDone = (): void => {
    if (!hasSettled || !hasEnded) return;
    finishRequest(ctx, () => continuing.cancel(requestFinished));
    release?.();
  };
  afterFunc(client, (err) => {
    hasEnded = true;
    // `serve` waits until `release` is called.
    if (!hasSettled && statusOf(err) === 499) release = tracker?.continues();
    endIfDone();
  });
  return {
    ctx,
    settled() {
      hasSettled = true;
      endIfDone();
    },
  };
}

/** The continuing context of a request on node:http: what its connection adds to it. */
import type { RequestLike } from "../types.ts";
import {
  continueHandlers,
  type ContinuingHandlers,
  type ContinuingRequestOptions,
} from "./continuing-request.ts";
import type { DisconnectOption } from "./disconnect-option.ts";
import { withDeadlineOf, withLimits } from "./limits.ts";
import type { RequestContextOptions } from "./options.ts";
import { trackerOf } from "./request-tracker.ts";
import type { TrackedRequest } from "./tracked-request.ts";

/** Works like `continueHandlers`. */
export function continueOnNode(
  req: RequestLike,
  tracked: TrackedRequest,
  options: RequestContextOptions<never> & DisconnectOption,
): ContinuingHandlers | undefined {
  // The client has been told that this request is not processed.
  if (trackerOf(req)?.isUnanswerable?.(req) === true) return undefined;
  return continueHandlers(req, options, () => continuingOptions(req, tracked, options));
}

/** Returns what a continuing context of this request needs. `options` hold the limits of its handlers. */
export function continuingOptions(
  req: RequestLike,
  tracked: TrackedRequest,
  options: RequestContextOptions<never>,
): ContinuingRequestOptions {
  const tracker = trackerOf(req);
  const outer = tracked.options as RequestContextOptions<never>;
  return {
    own: tracked.ctx,
    parents: [outer.parent, tracker?.requests],
    limit(ctx) {
      const limited = withLimits(ctx, req, options) ?? ctx;
      return outer === options ? limited : withDeadlineOf(tracked.ctx, limited, req, outer);
    },
    continues: tracker && (() => tracker.continues()),
  };
}

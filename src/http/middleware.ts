/** `middleware`: the request's context in Connect, and whatever else takes its middleware. */
import { respond, type AnswerLike } from "./respond/respond.ts";
import { respondWhenDone } from "./respond/respond-when-done.ts";
import { checkLimits, withLimits } from "./request/limits.ts";
import { checkCurrent, type CurrentOption } from "./request/current-option.ts";
import { callNext } from "./framework.ts";
import type { NodeRequest } from "./request/node-types.ts";
import type { RequestLike } from "./request/request-end.ts";
import { track, type RequestContextOptions } from "./request/request-context.ts";
import { statusOf } from "./respond/status.ts";

/**
 * Gives every request its context, with these options, before the routes run; they ask for it by
 * `requestContext(req)`. When a limit passes, `parent` is done or the server is shut down, and no
 * route has begun to answer, 503 or 504 is sent, as by `handler`; if that is so before the start,
 * no route runs. What routes throw is the framework's business: let its error handler answer with
 * `statusOf(err)`, and nothing for 499. In Express, `eightysix/express` does that as well.
 */
export function middleware<Req extends RequestLike = NodeRequest>(
  options: RequestContextOptions<Req> & CurrentOption = {},
): (req: Req, res: AnswerLike, next: (error?: unknown) => unknown) => void {
  checkLimits(options, "middleware(options)");
  checkCurrent(options.current);
  return (req, res, next) => {
    const tracked = track(req, res, options);
    let { ctx } = tracked;
    // Somebody has asked before: what we know of limits can only answer, and end nothing.
    if (tracked.options !== options) ctx = withLimits(ctx, req, options) ?? ctx;
    if (ctx.err() !== undefined) {
      respond(res, statusOf(ctx), ctx);
      return;
    }
    if (tracked.canBeLate(ctx)) {
      // The route has run to its first pause by then.
      queueMicrotask(() => {
        respondWhenDone(tracked, ctx, res, () => {
          respond(res, statusOf(ctx), ctx);
        });
      });
    }
    callNext(req, res, options, () => ctx, next);
  };
}

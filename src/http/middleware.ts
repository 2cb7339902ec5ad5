/** `middleware`: the request's context in Connect, and whatever else takes its middleware. */
import { answer, type AnswerLike } from "./answer.ts";
import { answerLate } from "./late.ts";
import { checkLimits, limit } from "./limit.ts";
import type { NodeRequest } from "./node-types.ts";
import type { RequestLike } from "./over.ts";
import { track, type RequestContextOptions } from "./request.ts";
import { statusOf } from "./status.ts";

/**
 * Gives every request its context, with these options, before the routes run; they ask for it by
 * `requestContext(req)`. When a limit passes, `parent` is done or the server is shut down, and no
 * route has begun to answer, 503 or 504 is sent, as by `handler`; if that is so before the start,
 * no route runs. What routes throw is the framework's business: let its error handler answer with
 * `statusOf(err)`, and nothing for 499. In Express, `eightysix/express` does that as well.
 */
export function middleware<Req extends RequestLike = NodeRequest>(
  options: RequestContextOptions<Req> = {},
): (req: Req, res: AnswerLike, next: (error?: unknown) => unknown) => void {
  checkLimits(options, "middleware(options)");
  return (req, res, next) => {
    const tracked = track(req, res, options);
    let { ctx } = tracked;
    // Somebody has asked before: what we know of limits can only answer, and end nothing.
    if (tracked.options !== options) ctx = limit(ctx, req, options) ?? ctx;
    if (ctx.err() !== undefined) {
      answer(res, statusOf(ctx), ctx);
      return;
    }
    if (tracked.canBeLate(ctx)) {
      // The route has run to its first pause by then.
      queueMicrotask(() => {
        answerLate(tracked, ctx, res, () => {
          answer(res, statusOf(ctx), ctx);
        });
      });
    }
    next();
  };
}

/**
 * `middleware`: the request's context in Connect, and in every framework that takes Connect's
 * middleware.
 */
import { callNext } from "./framework.ts";
import { queueRespondWhenDone, trackWithLimits } from "./open-request.ts";
import { checkCurrent, type CurrentOption } from "./request/current-option.ts";
import { checkLimits } from "./request/limits.ts";
import type { NodeRequest } from "./request/node-types.ts";
import type { Context } from "../index.ts";
import type { RequestContextOptions } from "./request/options.ts";
import { respondWithEnd } from "./respond/respond.ts";
import { isTaken, takeOver } from "./respond/take-over.ts";
import type { RequestLike, WritableResponseLike } from "./types.ts";

/**
 * Returns middleware that gives every request its context before the routes run. A route gets the
 * context from `requestContext(req)`.
 *
 * If the context ends before a route has begun to respond, because a limit passes, `parent` ends or
 * the server shuts down, the middleware responds with 503 or 504, as `handler` does. If the context
 * is done before the routes start, no route runs.
 *
 * Errors that a route throws go to the framework. Let its error handler send nothing if
 * `statusOf(requestContext(req))` is 499: the client has disconnected, perhaps in the middle of an
 * upload, whose parser fails with an error of its own. Otherwise, let it respond with
 * `statusOf(err)`. In Express, `eightysix/express` does that too.
 *
 * @example
 * app.use(middleware({ timeout: 5_000 }));
 * app.use("/report", (req, res) => report(requestContext(req), res));
 */
export function middleware<Req extends RequestLike = NodeRequest>(
  options: RequestContextOptions<Req> & CurrentOption = {},
): (req: Req, res: WritableResponseLike, next: (error?: unknown) => unknown) => void {
  checkLimits(options, "middleware(options)", ["current"]);
  checkCurrent(options.current);
  return (req, res, next) => {
    const { tracked, ctx } = trackWithLimits(req, res, options);
    if (ctx.err() !== undefined) {
      answer(res, ctx);
      return;
    }
    queueRespondWhenDone(tracked, ctx, res, answer);
    callNext(req, res, options, () => ctx, next);
  };
}

function answer(res: WritableResponseLike, ctx: Context): void {
  respondWithEnd(res, ctx);
  if (isTaken(res)) takeOver(res).hideHead();
}

/** What the integrations of frameworks on node:http have in common. */
import type { Context } from "../index.ts";
import { queueRespondWhenDone, trackWithLimits } from "./open-request.ts";
import type { RequestContextOptions } from "./request/options.ts";
import { requestEndedError, type RequestEndedError } from "./respond/request-ended-error.ts";
import { discardLaterWrites } from "./respond/respond.ts";
import type { RequestLike, WritableResponseLike } from "./types.ts";

/**
 * The request's context under these options. When it is done before anything of the answer was
 * sent, and somebody can still hear it, `late` has to answer: one turn of the event loop later, so
 * that a handler that stops at once can answer by itself. What the handler writes after that
 * answer goes nowhere.
 */
export function openRequest(
  req: RequestLike,
  res: WritableResponseLike,
  options: RequestContextOptions<never>,
  late: (end: RequestEndedError) => void,
): Context {
  const { tracked, ctx } = trackWithLimits(req, res, options);
  if (ctx.err() !== undefined) return ctx;
  tracked.loggedResponse = res;
  queueRespondWhenDone(tracked, ctx, res, () => {
    quietenAfterEnd(res);
    late(requestEndedError(ctx));
  });
  return ctx;
}

/** Whether nobody can hear an answer any more. If so, none is sent; logs find 499. */
export function isGone(end: RequestEndedError, res: WritableResponseLike): boolean {
  if (end.status !== 499) return false;
  if (!res.headersSent) res.statusCode = end.status;
  if (!res.writableEnded) res.destroy();
  return true;
}

/**
 * The framework may take its time to answer, and use any header until it has. When the handler
 * fails after that, Express would close the connection, which may serve another request by now; it
 * does so if it sees that headers were sent.
 */
function quietenAfterEnd(res: WritableResponseLike): void {
  const own = res as { end(...args: unknown[]): unknown };
  const end = own.end.bind(res);
  own.end = (...args) => {
    const result = end(...args);
    discardLaterWrites(res);
    return result;
  };
  res.on("close", () => Object.defineProperty(res, "headersSent", { value: false }));
}

/** What the integrations of frameworks on node:http have in common. */
import type { Context } from "../index.ts";
import { discardLaterWrites, type AnswerLike } from "./respond/respond.ts";
import { requestEndedError, type RequestEndedError } from "./respond/request-ended-error.ts";
import { respondWhenDone } from "./respond/respond-when-done.ts";
import { withLimits } from "./request/limits.ts";
import type { RequestLike } from "./request/request-end.ts";
import { track, type RequestContextOptions } from "./request/request-context.ts";

/**
 * The request's context under these options. When it is done before anything of the answer was
 * sent, and somebody can still hear it, `late` has to answer: one turn of the event loop later, so
 * that a handler that stops at once can answer by itself. What the handler writes after that
 * answer goes nowhere.
 */
export function openRequest(
  req: RequestLike,
  res: AnswerLike,
  options: RequestContextOptions<never>,
  late: (end: RequestEndedError) => void,
): Context {
  const tracked = track(req, res, options);
  let { ctx } = tracked;
  // Somebody has asked for the request's context before, so it knows nothing of our limits.
  if (tracked.options !== options) ctx = withLimits(ctx, req, options) ?? ctx;
  if (ctx.err() !== undefined) return ctx;
  tracked.logged = res;
  if (!tracked.canBeLate(ctx)) return ctx;
  // The handler has run to its first pause by then.
  queueMicrotask(() => {
    respondWhenDone(tracked, ctx, res, () => {
      quietenAfterEnd(res);
      late(requestEndedError(ctx));
    });
  });
  return ctx;
}

/** Whether nobody can hear an answer any more. If so, none is sent; logs find 499. */
export function isGone(end: RequestEndedError, res: AnswerLike): boolean {
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
function quietenAfterEnd(res: AnswerLike): void {
  const own = res as { end(...args: unknown[]): unknown };
  const end = own.end.bind(res);
  own.end = (...args) => {
    const result = end(...args);
    discardLaterWrites(res);
    return result;
  };
  res.on("close", () => Object.defineProperty(res, "headersSent", { value: false }));
}

/** What the integrations of frameworks on node:http have in common. */
import type { Context } from "../index.ts";
import { quieten, type AnswerLike } from "./answer.ts";
import { endOf, type RequestEnded } from "./ended.ts";
import { answerLate } from "./late.ts";
import { limit } from "./limit.ts";
import type { RequestLike } from "./over.ts";
import { track, type RequestContextOptions } from "./request.ts";

/**
 * The request's context under these options. When it is done before anything of the answer was
 * sent, and somebody can still hear it, `late` has to answer: one turn of the event loop later, so
 * that a handler that stops at once can answer by itself. What the handler writes after that
 * answer goes nowhere.
 */
export function enter(
  req: RequestLike,
  res: AnswerLike,
  options: RequestContextOptions<never>,
  late: (end: RequestEnded) => void,
): Context {
  const tracked = track(req, res, options);
  let { ctx } = tracked;
  // Somebody has asked for the request's context before, so it knows nothing of our limits.
  if (tracked.options !== options) ctx = limit(ctx, req, options) ?? ctx;
  if (ctx.err() !== undefined) return ctx;
  tracked.logged = res;
  if (!tracked.canBeLate(ctx)) return ctx;
  // The handler has run to its first pause by then.
  queueMicrotask(() => {
    answerLate(tracked, ctx, res, () => {
      quietenAfterEnd(res);
      late(endOf(ctx));
    });
  });
  return ctx;
}

/** Whether nobody can hear an answer any more. If so, none is sent; logs find 499. */
export function isGone(end: RequestEnded, res: AnswerLike): boolean {
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
    quieten(res);
    return result;
  };
  res.on("close", () => Object.defineProperty(res, "headersSent", { value: false }));
}

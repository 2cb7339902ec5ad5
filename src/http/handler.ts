/** `handler`: a request listener whose first parameter is a context. */
import { emitWarning } from "node:process";
import { afterFunc, background, withTimeout, type Context, type Stop } from "../index.ts";
import { answer, type AnswerLike } from "./answer.ts";
import type { NodeRequest, NodeResponse } from "./node-types.ts";
import type { RequestLike } from "./over.ts";
import { localTimeout, track, type RequestContextOptions, type Tracked } from "./request.ts";
import { statusOf } from "./status.ts";

export interface HandlerOptions<Req, Res> extends RequestContextOptions {
  /**
   * Told of everything that the handler throws, before it is answered; `res.statusCode` is what
   * will be sent, 499 if there is nobody to send it to. May answer itself, and is waited for. By
   * default, what means status 500 becomes a process warning.
   */
  onError?: (ctx: Context, error: unknown, req: Req, res: Res) => unknown;
}

/**
 * A listener for `http.createServer` that gives `fn` the request's context (see `requestContext`)
 * and answers for it when it throws or rejects: with `statusOf` the context if that is done, else
 * with `statusOf` the error, in plain text and never in the error's words. If `fn` has begun to
 * answer, the connection is closed instead; if the client has gone, nothing is sent.
 *
 * When `timeout` passes or `parent` is done and `fn` has not begun to answer, 503 (or what
 * `statusOf` says) is sent one turn of the event loop later, so that a `fn` that stops at once can
 * answer by itself. One that goes on is not disturbed, and what it writes goes nowhere. An answer
 * that has begun is left to `fn`. If the context is done before the start, `fn` is not run.
 */
export function handler<
  Req extends RequestLike = NodeRequest,
  Res extends AnswerLike = NodeResponse,
>(
  fn: (ctx: Context, req: Req, res: Res) => unknown,
  options: HandlerOptions<Req, Res> = {},
): (req: Req, res: Res) => void {
  const { timeout, parent, onError = warn } = options;
  if (timeout !== undefined) withTimeout(background(), timeout); // refuses what is no duration, now
  const bounded = timeout !== undefined || parent !== undefined;

  const fail = async (tracked: Tracked, ctx: Context, error: unknown, req: Req, res: Res) => {
    const status = statusFor(ctx, error);
    if (!res.headersSent) res.statusCode = status;
    try {
      await onError(ctx, error, req, res);
    } finally {
      // It is we who will close the connection: say so before it looks as if the client had.
      if (res.headersSent && !res.writableEnded) tracked.scope.cancel(error);
      answer(res, status);
    }
  };

  // Not an async function: its promises would cost more than the context.
  return (req, res) => {
    const tracked = track(req, res, options);
    let { ctx } = tracked;
    // Somebody has asked for the request's context before, so it knows nothing of our limit.
    if (timeout !== undefined && tracked.timeout !== timeout) {
      ctx = withTimeout(ctx, timeout, { cause: localTimeout });
    }
    if (ctx.err() !== undefined) {
      answer(res, statusOf(ctx));
      return;
    }
    if (bounded) tracked.stop = answerAtEnd(ctx, res);
    const failed = (error: unknown): void => void fail(tracked, ctx, error, req, res);
    try {
      const result = fn(ctx, req, res) as PromiseLike<unknown> | null | undefined;
      if (typeof result?.then === "function") result.then(undefined, failed);
    } catch (error) {
      failed(error);
    }
  };
}

function answerAtEnd(ctx: Context, res: AnswerLike): Stop {
  return afterFunc(ctx, () => {
    if (res.headersSent || res.destroyed) return;
    setImmediate(() => {
      if (!res.headersSent) answer(res, statusOf(ctx));
    });
  });
}

/** The request's own end explains whatever the handler made of it. */
function statusFor(ctx: Context, error: unknown): number {
  const status = statusOf(ctx);
  if (status !== 200) return status;
  const own = statusOf(error);
  // The client of another request may have gone, whose work was shared; ours is waiting.
  return own < 500 ? 503 : own;
}

function warn(ctx: Context, error: unknown): void {
  if (statusFor(ctx, error) !== 500) return;
  const detail = error instanceof Error ? error.stack : String(error);
  emitWarning("a request handler failed", {
    type: "HandlerError",
    code: "EIGHTYSIX_HANDLER_FAILED",
    ...(detail !== undefined && { detail }),
  });
}

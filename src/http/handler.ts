/** `handler`: a request listener whose first parameter is a context. */
import { emitWarning } from "node:process";
import { needFunction, show } from "../adapter/misuse.ts";
import type { Context } from "../index.ts";
import { respond, type AnswerLike } from "./respond/respond.ts";
import { statusFor } from "./respond/request-ended-error.ts";
import { respondWhenDone } from "./respond/respond-when-done.ts";
import { checkLimits, withLimits } from "./request/limits.ts";
import type { NodeRequest, NodeResponse } from "./request/node-types.ts";
import type { RequestLike } from "./request/request-end.ts";
import {
  track,
  type RequestContextOptions,
  type TrackedRequest,
} from "./request/request-context.ts";
import { continueAfterDisconnect } from "./request/continue-after-disconnect.ts";
import { statusOf } from "./respond/status.ts";

export interface HandlerOptions<Req, Res> extends RequestContextOptions<Req> {
  /**
   * Told of everything that the handler throws, before it is answered; `res.statusCode` is what
   * will be sent, 499 if there is nobody to send it to. May answer itself, and is waited for. By
   * default, what means status 500 becomes a process warning.
   */
  onError?: (ctx: Context, error: unknown, req: Req, res: Res) => unknown;
  /**
   * What the client's leaving means. `"continue"`: `fn` runs on, with a context that knows the
   * limits, `parent` and the shutdown, but not the client; it ends as finished when the promise of
   * `fn` has settled and the response is over. For a write that must not stop half way because a
   * telephone went into a tunnel. `serve` waits for it. Where only a part must be finished, wrap
   * that part in `shield` and let the rest be canceled. Default: `"cancel"`.
   */
  onDisconnect?: "cancel" | "continue";
}

/**
 * A listener for `http.createServer`, or that of `node:https` or `node:http2`. It gives `fn` the
 * request's context (see `requestContext`) and answers for it when it throws or rejects: with
 * `statusOf` the context if that is done, else with `statusOf` the error, in plain text and never
 * in the error's words. If `fn` has begun to answer, the connection (in HTTP/2, the stream) is
 * closed instead; if the client has gone, nothing is sent.
 *
 * When `timeout` or the caller's `deadline` passes, `parent` is done or the server is shut down
 * (`serve`), and `fn` has not begun to answer, 503 or 504 (what `statusOf` says) is sent one turn
 * of the event loop later, so that a `fn` that stops at once can answer by itself. One that goes
 * on is not disturbed, and what it writes goes nowhere. An answer that has begun is left to `fn`.
 * If the context is done before the start, `fn` is not run.
 */
export function handler<
  Req extends RequestLike = NodeRequest,
  Res extends AnswerLike = NodeResponse,
>(
  fn: (ctx: Context, req: Req, res: Res) => unknown,
  options: HandlerOptions<Req, Res> = {},
): (req: Req, res: Res) => void {
  needFunction(fn, "handler((ctx, req, res) => …, options)");
  checkLimits(options, "handler(fn, options)");
  const { timeout, deadline, onError = warn, onDisconnect = "cancel" } = options;
  if (onDisconnect !== "cancel" && onDisconnect !== "continue") {
    throw new TypeError(`onDisconnect is "cancel" or "continue", got ${show(onDisconnect)}`);
  }
  const limited = timeout !== undefined || Boolean(deadline);

  const fail = async (
    tracked: TrackedRequest,
    ctx: Context,
    error: unknown,
    req: Req,
    res: Res,
  ) => {
    const status = statusFor(ctx, error);
    if (!res.headersSent) res.statusCode = status;
    try {
      await onError(ctx, error, req, res);
    } finally {
      // It is we who will close the connection: say so before it looks as if the client had.
      if (res.headersSent && !res.writableEnded) tracked.scope.cancel(error);
      respond(res, status, error);
    }
  };

  // Not an async function: its promises would cost more than the context.
  return (req, res) => {
    const tracked = track(req, res, options);
    let { ctx } = tracked;
    // Somebody has asked for the request's context before, so it knows nothing of our limits.
    let settled: (() => void) | undefined;
    if (onDisconnect === "continue")
      ({ ctx, settled } = continueAfterDisconnect(tracked.ctx, req, options));
    else if (limited && tracked.options !== options) ctx = withLimits(ctx, req, options) ?? ctx;
    if (ctx.err() !== undefined) {
      settled?.();
      respond(res, statusOf(ctx), ctx);
      return;
    }
    const failed = (error: unknown): void => {
      void fail(tracked, ctx, error, req, res).finally(settled);
    };
    try {
      const result = fn(ctx, req, res) as PromiseLike<unknown> | null | undefined;
      if (typeof result?.then === "function") result.then(settled, failed);
      else settled?.();
    } catch (error) {
      failed(error);
    }
    if (!tracked.canBeLate(ctx)) return;
    respondWhenDone(tracked, ctx, res, () => {
      respond(res, statusOf(ctx), ctx);
    });
  };
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

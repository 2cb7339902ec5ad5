/** `handler`: a request listener whose first parameter is a context. */
import { emitWarning } from "node:process";
import { needFunction } from "../adapter/misuse.ts";
import type { Context } from "../index.ts";
import { describeFailure } from "../internal.ts";
import { respondWhenDone, trackWithLimits } from "./open-request.ts";
import { continueOnNode } from "./request/continue-on-node.ts";
import { hasCutBody } from "./request/cut-body.ts";
import { checkOnDisconnect, type DisconnectOption } from "./request/disconnect-option.ts";
import { checkLimits } from "./request/limits.ts";
import type { NodeRequest, NodeResponse } from "./request/node-types.ts";
import type { RequestContextOptions } from "./request/options.ts";
import type { TrackedRequest } from "./request/tracked-request.ts";
import { hasBegun } from "./respond/mark-as-gone.ts";
import { isForeignEnd, warnOfForeignEnd } from "./respond/foreign-end.ts";
import { statusFor } from "./respond/request-ended-error.ts";
import { respond, respondWithEnd } from "./respond/respond.ts";
import { isTaken } from "./respond/take-over.ts";
import type { RequestLike, WritableResponseLike } from "./types.ts";

export interface HandlerOptions<Req, Res> extends RequestContextOptions<Req>, DisconnectOption {
  /**
   * Called with every error of the handler, before the response to it is sent. `res.statusCode` is
   * the status that will be sent, or 499 if the client has disconnected. `onError` may respond by
   * itself. The handler waits for the promise that it returns. Default: errors that mean status 500
   * become a process warning.
   */
  onError?: (ctx: Context, error: unknown, req: Req, res: Res) => unknown;
}

/**
 * Returns a listener for the requests of a `node:http`, `node:https` or `node:http2` server. It calls
 * `fn` with the request's context (see `requestContext`).
 *
 * If `fn` throws or rejects, the handler responds in plain text: with `statusOf(ctx)` if the context
 * is done, and otherwise with `statusOf(error)`. The error's message is never sent. If `fn` has begun
 * to respond, the handler closes the connection (over HTTP/2, the stream) instead. If the client has
 * disconnected, nothing is sent.
 *
 * If the context ends before `fn` has begun to respond, because `timeout` or the caller's
 * `deadline` passes, `parent` ends or the server shuts down (see `serve`), the handler responds
 * with 503 or 504, as `statusOf` says. It does so one turn of the event loop later, so that an `fn`
 * that stops at once can respond by itself. An `fn` that goes on is not disturbed, and everything
 * that it writes is discarded. A response that has begun is left to `fn`. If the context is done
 * before the start, `fn` does not run.
 *
 * While a function of `shield` runs, a 503 waits for it. Once one has begun, 500 is sent in place of
 * 503, without Retry-After, because the function may have succeeded.
 *
 * Throws a TypeError or a RangeError if an option is unknown or makes no sense.
 *
 * @example
 * const listener = handler(
 *   async (ctx, req, res) => {
 *     res.end(await db.query(ctx, sql));
 *   },
 *   { timeout: 5_000 },
 * );
 * createServer(listener).listen(8080);
 */
export function handler<
  Req extends RequestLike = NodeRequest,
  Res extends WritableResponseLike = NodeResponse,
>(
  fn: (ctx: Context, req: Req, res: Res) => unknown,
  options: HandlerOptions<Req, Res> = {},
): (req: Req, res: Res) => void {
  needFunction(fn, "handler((ctx, req, res) => …, options)");
  checkLimits(options, "handler(fn, options)", ["onError", "onDisconnect"]);
  const { onError = warn } = options;
  checkOnDisconnect(options.onDisconnect);

  const fail = async (
    tracked: TrackedRequest,
    ctx: Context,
    error: unknown,
    req: Req,
    res: Res,
  ) => {
    const status = hasCutBody(req) ? 499 : statusFor(ctx, error);
    if (!hasBegun(res)) res.statusCode = status;
    if (isForeignEnd(ctx, error)) warnOfForeignEnd(req, error);
    try {
      await onError(ctx, error, req, res);
    } finally {
      // This side will close the connection. Cancel first. Otherwise it looks as if the client had
      // disconnected.
      if (hasBegun(res) && !res.writableEnded && !isTaken(res)) tracked.cancel(error);
      respond(res, status, error);
    }
  };

  // This is not an async function, because its promises would cost more than the context.
  return (req, res) => {
    const { tracked, ctx: own } = trackWithLimits(req, res, options);
    const continuing = continueOnNode(req, tracked, options);
    const ctx = continuing?.ctx ?? own;
    const created = continuing?.created;
    const watch = tracked.responseWatch;
    const settled = (created || watch) && (() => (created?.responded(), watch?.settled()));
    if (ctx.err() !== undefined) {
      settled?.();
      respondWithEnd(res, ctx);
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
    respondWhenDone(tracked, ctx, res, respondWithEnd);
  };
}

function warn(ctx: Context, error: unknown, req: object): void {
  if (hasCutBody(req) || statusFor(ctx, error) !== 500 || isForeignEnd(ctx, error)) return;
  emitWarning("a request handler failed", {
    type: "HandlerError",
    code: "EIGHTYSIX_HANDLER_FAILED",
    detail: describeFailure(error),
  });
}

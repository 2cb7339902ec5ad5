/**
 * The steps that `handler`, `middleware` and the frameworks on node:http share for each request:
 * they find or create its context, apply their own limits, and respond if the context ends first.
 */
import type { Context } from "../index.ts";
import { isDevelopment } from "../internal.ts";
import { withLimits } from "./request/limits.ts";
import { ResponseWatch } from "./request/missing-response.ts";
import type { RequestContextOptions } from "./request/options.ts";
import { track, type TrackedRequest } from "./request/tracked-request.ts";
import { DoneResponse, hasResponded, type Send } from "./respond/done-response.ts";
import type { RequestLike, WritableResponseLike } from "./types.ts";

/** A request as one handler or middleware sees it. */
export interface LimitedRequest {
  readonly tracked: TrackedRequest;
  /** The request's context under the limits of this handler. It may be done already. */
  readonly ctx: Context;
}

/**
 * Returns the request and its context under the limits of `options`. If the context was created
 * before with other options, the limits apply to a child of it, and end only that child.
 */
export function trackWithLimits(
  req: RequestLike,
  res: WritableResponseLike,
  options: RequestContextOptions<never>,
): LimitedRequest {
  const tracked = track(req, res, options);
  tracked.loggedResponse = res;
  const own = tracked.options === options ? undefined : withLimits(tracked.ctx, req, options);
  const ctx = own ?? tracked.ctx;
  if (isDevelopment()) (tracked.responseWatch ??= new ResponseWatch(req, res)).add(ctx);
  return { tracked, ctx };
}

/**
 * Calls `send` if `ctx` ends before the handler has begun to respond (see `DoneResponse`). Call
 * this function when the handler has run to its first `await`: a handler that has begun to respond
 * by then needs no timer.
 */
export function respondWhenDone<Res extends WritableResponseLike>(
  tracked: TrackedRequest,
  ctx: Context,
  res: Res,
  send: Send<Res>,
): void {
  if (!tracked.canEndEarly(ctx) || hasResponded(res)) return;
  tracked.doneResponse = new DoneResponse(ctx, res, send, tracked.doneResponse);
}

/**
 * Calls `respondWhenDone` in a microtask, for middleware. The handler behind the middleware has run
 * to its first `await` by then.
 */
export function queueRespondWhenDone<Res extends WritableResponseLike>(
  tracked: TrackedRequest,
  ctx: Context,
  res: Res,
  send: Send<Res>,
): void {
  if (tracked.canEndEarly(ctx)) queueMicrotask(() => respondWhenDone(tracked, ctx, res, send));
}

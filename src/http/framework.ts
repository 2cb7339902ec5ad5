/** The parts that all frameworks on node:http share. */
import { afterFunc, type Context } from "../index.ts";
import { queueRespondWhenDone, trackWithLimits } from "./open-request.ts";
import { currentMode, type CurrentOption } from "./request/current-option.ts";
import { CurrentRequest, type ContinuingRequest } from "./request/current.ts";
import { withDeadlineOf, withLimits } from "./request/limits.ts";
import type { RequestContextOptions } from "./request/options.ts";
import { trackerOf } from "./request/request-tracker.ts";
import { track } from "./request/tracked-request.ts";
import { hasBegun, markAsGone } from "./respond/mark-as-gone.ts";
import { requestEndedError, type RequestEndedError } from "./respond/request-ended-error.ts";
import { removeFraming, replaceHeaders } from "./respond/replaced-headers.ts";
import { isTaken, takeOver } from "./respond/take-over.ts";
import { statusOf } from "./respond/status.ts";
import type { RequestLike, WritableResponseLike } from "./types.ts";

/**
 * Returns the request's context, with these limits.
 *
 * If the context ends before a response has begun, and the client is still connected, `late` is
 * called to respond. The call comes one turn of the event loop later, so that a handler that stops
 * at once can respond by itself. Anything that the handler writes after that response is discarded.
 */
export function openRequest(
  req: RequestLike,
  res: WritableResponseLike,
  options: RequestContextOptions<never>,
  late: (end: RequestEndedError) => void,
): Context {
  const { tracked, ctx } = trackWithLimits(req, res, options);
  if (ctx.err() !== undefined) return ctx;
  queueRespondWhenDone(tracked, ctx, res, () => {
    replaceHeaders(res);
    takeOverAtEnd(res);
    late(requestEndedError(ctx));
  });
  return ctx;
}

/**
 * Returns whether the client has disconnected. If so, closes the response, and marks it with 499 for
 * logs.
 */
export function isGone(end: RequestEndedError, res: WritableResponseLike): boolean {
  if (end.status !== 499) return false;
  markAsGone(res);
  if (!res.writableEnded) res.destroy();
  return true;
}

/**
 * Takes the response away from the handler when it is ended. Until then the framework may take its
 * time, and set any header.
 */
function takeOverAtEnd(res: WritableResponseLike): void {
  const own = res as { end: (...args: unknown[]) => unknown };
  const end = own.end;
  own.end = (...args) => {
    const isFirst = !isTaken(res);
    if (isFirst) own.end = end;
    const taken = takeOver(res);
    taken.hideHead();
    return taken.answer(() => {
      if (!res.headersSent) removeFraming(res);
      return isFirst ? own.end(...args) : end.apply(res, args);
    });
  };
}

/**
 * Returns the request's current context, or `undefined` if `current` does not ask for one. `read`
 * returns the context that handlers see.
 */
export function openCurrent(
  req: RequestLike & { readonly method?: string },
  res: WritableResponseLike,
  options: RequestContextOptions<never> & CurrentOption,
  read: () => Context,
): CurrentRequest | undefined {
  const mode = currentMode(req, options);
  if (mode === false) return undefined;
  const tracked = track(req, res, options);
  const tracker = trackerOf(req);
  const outer = tracked.options as RequestContextOptions<never>;
  return new CurrentRequest(req, {
    ...{ mode, method: req.method, own: tracked.ctx, read },
    parents: [outer.parent, tracker?.requests],
    limit(ctx) {
      const limited = withLimits(ctx, req, options) ?? ctx;
      return outer === options ? limited : withDeadlineOf(tracked.ctx, limited, req, outer);
    },
    continues: tracker && (() => tracker.continues()),
  });
}

/**
 * Calls `next`, under the current context if `current` asks for one. For frameworks whose `next`
 * does not return a promise that settles when the handler ends.
 */
export function callNext(
  req: RequestLike,
  res: WritableResponseLike,
  options: RequestContextOptions<never> & CurrentOption,
  read: () => Context,
  next: () => unknown,
): void {
  const current = openCurrent(req, res, options, read);
  if (current === undefined) {
    next();
    return;
  }
  if (current.created) onResponded(req, res, current.created);
  current.run(next);
}

/**
 * Calls `continuing.responded()` when the handler ends the response or destroys it. Both methods
 * are replaced, because no event reports these calls after the client has disconnected: `end()`
 * then makes HTTP/1 emit only `prefinish`, and HTTP/2 nothing.
 *
 * A disconnect in the middle of the response counts as well. A stream that is piped into the
 * response may never learn of the disconnect, and so never calls `end()`.
 */
function onResponded(
  req: RequestLike,
  res: WritableResponseLike,
  continuing: ContinuingRequest,
): void {
  const methods = res as unknown as Record<"end" | "destroy", (...args: unknown[]) => unknown>;
  for (const name of ["end", "destroy"] as const) {
    const method = methods[name];
    methods[name] = function (this: unknown, ...args) {
      continuing.responded();
      return method.apply(this, args);
    };
  }
  afterFunc(track(req, res, {}).ctx, (err) => {
    if (hasBegun(res) || statusOf(err) !== 499) continuing.responded();
  });
}

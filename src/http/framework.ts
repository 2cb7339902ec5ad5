/** The parts that all frameworks on node:http share. */
import { afterFunc, type Context } from "../index.ts";
import { discardLaterWrites, type AnswerLike } from "./respond/respond.ts";
import { requestEndedError, type RequestEndedError } from "./respond/request-ended-error.ts";
import { respondWhenDone } from "./respond/respond-when-done.ts";
import { withDeadlineOf, withLimits } from "./request/limits.ts";
import type { RequestLike } from "./request/request-end.ts";
import { track, type RequestContextOptions } from "./request/request-context.ts";
import { trackerOf } from "./request/request-tracker.ts";
import { currentMode, type CurrentOption } from "./request/current-option.ts";
import { CurrentRequest, type ContinuingRequest } from "./request/current.ts";
import { statusOf } from "./respond/status.ts";

/**
 * Returns the request's context, with these limits.
 *
 * If the context ends before a response has begun, and the client is still there, `late` is called
 * to respond: one turn of the event loop later, so that a handler that stops at once can respond by
 * itself. What the handler writes after that response is discarded.
 */
export function openRequest(
  req: RequestLike,
  res: AnswerLike,
  options: RequestContextOptions<never>,
  late: (end: RequestEndedError) => void,
): Context {
  const tracked = track(req, res, options);
  let { ctx } = tracked;
  // An earlier call has created the context, so it lacks these limits.
  if (tracked.options !== options) ctx = withLimits(ctx, req, options) ?? ctx;
  if (ctx.err() !== undefined) return ctx;
  tracked.logged = res;
  if (!tracked.canBeLate(ctx)) return ctx;
  // By then the handler has run to its first pause.
  queueMicrotask(() => {
    respondWhenDone(tracked, ctx, res, () => {
      discardWritesAfterEnd(res);
      late(requestEndedError(ctx));
    });
  });
  return ctx;
}

/**
 * Returns whether the client has disconnected. If so, the response is closed, and its status is 499
 * for logs.
 */
export function isGone(end: RequestEndedError, res: AnswerLike): boolean {
  if (end.status !== 499) return false;
  if (!res.headersSent) res.statusCode = end.status;
  if (!res.writableEnded) res.destroy();
  return true;
}

/**
 * Discards what a handler writes after the framework has responded. Until then the framework may
 * take its time, and set any header. If the handler fails after that response, Express would close
 * the connection, which may serve another request by then. Express does so if it sees that headers
 * were sent.
 */
function discardWritesAfterEnd(res: AnswerLike): void {
  const own = res as { end(...args: unknown[]): unknown };
  const end = own.end.bind(res);
  own.end = (...args) => {
    const result = end(...args);
    discardLaterWrites(res);
    return result;
  };
  res.on("close", () => Object.defineProperty(res, "headersSent", { value: false }));
}

/**
 * Returns the request's current context, or `undefined` if `current` does not ask for one. `read`
 * returns the context that handlers see.
 */
export function openCurrent(
  req: RequestLike & { readonly method?: string },
  res: AnswerLike,
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
 * returns no promise of the handler's end.
 */
export function callNext(
  req: RequestLike,
  res: AnswerLike,
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
 * Calls `continuing.responded()` when the handler ends the response or destroys it. Both methods are
 * replaced, because no event says so after the client has disconnected: then `end()` makes HTTP/1
 * emit `prefinish`, and HTTP/2 nothing.
 *
 * A disconnect in the middle of the response counts as well. A stream that is piped into the response
 * may never be told of it, and so never calls `end()`.
 */
function onResponded(req: RequestLike, res: AnswerLike, continuing: ContinuingRequest): void {
  const methods = res as unknown as Record<"end" | "destroy", (...args: unknown[]) => unknown>;
  for (const name of ["end", "destroy"] as const) {
    const method = methods[name];
    methods[name] = function (this: unknown, ...args) {
      continuing.responded();
      return method.apply(this, args);
    };
  }
  afterFunc(track(req, res, {}).ctx, (err) => {
    if (res.headersSent || statusOf(err) !== 499) continuing.responded();
  });
}

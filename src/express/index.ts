/**
 * eightysix/express: a context for every request of an Express application, 5 or 4.
 *
 * @packageDocumentation
 */
import type { Context } from "../index.ts";
import type { AnswerLike } from "../http/respond/respond.ts";
import {
  asRequestEndedError,
  requestEndedError,
  type RequestEndedError,
} from "../http/respond/request-ended-error.ts";
import { callNext, openRequest, isGone } from "../http/framework.ts";
import type { RequestLike, RequestContextOptions } from "../http/index.ts";
import { checkCurrent, currentState, type CurrentOption } from "../http/request/current-option.ts";
import { checkLimits } from "../http/request/limits.ts";
import { endLate } from "./late-errors.ts";
import type { AppRequest, AppResponse } from "./types.ts";

declare global {
  // eslint-disable-next-line @typescript-eslint/no-namespace -- this is how Express' types are extended
  namespace Express {
    interface Request {
      /** The request's context, from `contexts()` of eightysix/express. */
      ctx: Context;
    }
  }
}

/** The parts of Express' request that are used. */
export interface ExpressRequest extends RequestLike {
  ctx: Context;
  /** The error of ours that is on its way: Express may take a while to answer. */
  [ENDING]?: RequestEndedError;
}
const ENDING = Symbol("eightysix.express.ending");
type Next = (error?: unknown) => void;

/**
 * Middleware that gives requests their context, as `req.ctx`: done when the client has gone, when
 * the response is finished, when `timeout` has passed or `parent` is done (see `requestContext`).
 * Register it first, and `contextErrors()` last.
 *
 * When the time is up and nothing was sent, `next` is called with an error of status 503 (or what
 * `statusOf` says), one turn of the event loop later: a handler that stops at once can answer by
 * itself. One that goes on is not disturbed, and what it writes goes nowhere. An answer that has
 * begun is left to the handler. If the context is done before, no handler is run.
 */
export function contexts(
  options: RequestContextOptions & CurrentOption = {},
): (req: ExpressRequest, res: AnswerLike, next: Next) => void {
  checkLimits(options, "contexts(options)");
  checkCurrent(options.current);
  return (req, res, next) => {
    const ctx = openRequest(req, res, options, (end) => {
      if (!req[ENDING]) endLate(req, next, end);
    });
    req.ctx = ctx;
    if (ctx.err() === undefined) callNext(req, res, options, () => req.ctx, next);
    else {
      const end = requestEndedError(ctx);
      if (!isGone(end, res)) next(end);
    }
  };
}

/**
 * Error middleware for what handlers throw because a context is done. Its `statusOf` becomes
 * `err.status` (with 503, Retry-After is set), `err.cause` is what was thrown, and it goes on to
 * your own error middleware, if that is registered after this one, or to Express. If the client has
 * gone, it goes nowhere: `res.statusCode` is 499 and nothing is sent. All other errors are passed
 * on as they are.
 */
export function contextErrors(
  ...none: []
): (error: unknown, req: ExpressRequest, res: AnswerLike, next: Next) => void {
  if (none.length > 0) throw new TypeError("write app.use(contextErrors()), with parentheses");
  // Express tells error middleware by its four parameters.
  return (error, req, res, next) => {
    const { ctx } = req as Partial<ExpressRequest>;
    const end = ctx && asRequestEndedError(ctx, error, currentState(req)?.bounded);
    if (end === undefined) {
      next(error);
      return;
    }
    const first = (req[ENDING] ??= end);
    if (first !== end || res.writableEnded || isGone(end, res)) return;
    // Express finds them on the error; what else answers would have to know of them.
    if (!res.headersSent)
      for (const header of Object.entries(end.headers)) res.setHeader(...header);
    next(end);
  };
}

/**
 * A handler whose first parameter is the context. What it throws or rejects with goes to `next`,
 * in Express 4 too, where nobody else listens to promises: there, one that is stopped with its
 * client would end the process.
 */
export function route<Req = AppRequest, Res = AppResponse>(
  fn: (ctx: Context, req: Req, res: Res, next: Next) => unknown,
): (req: Req, res: Res, next: Next) => void {
  return (req, res, next) => {
    try {
      const result = fn((req as ExpressRequest).ctx, req, res, next) as
        PromiseLike<unknown> | null | undefined;
      if (typeof result?.then === "function") result.then(undefined, next);
    } catch (error) {
      next(error);
    }
  };
}

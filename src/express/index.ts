/**
 * eightysix/express: a context for every request of an Express application, 5 or 4.
 *
 * @packageDocumentation
 */
import type { Context } from "../index.ts";
import type { WritableResponseLike } from "../http/types.ts";
import { checkFunction } from "../internal.ts";
import {
  asRequestEndedError,
  requestEndedError,
  type RequestEndedError,
} from "../http/respond/request-ended-error.ts";
import { sendableError } from "../http/respond/sendable-error.ts";
import { replaceHeaders } from "../http/respond/replaced-headers.ts";
import { isTaken } from "../http/respond/take-over.ts";
import { callNext, openRequest, isGone } from "../http/framework.ts";
import type { RequestLike, RequestContextOptions } from "../http/index.ts";
import { checkContextsOptions } from "../http/request/contexts-options.ts";
import type { CurrentOption } from "../http/request/current-option.ts";
import type { DisconnectOption } from "../http/request/disconnect-option.ts";
import { endEarly } from "./late-errors.ts";
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
  /**
   * The `RequestEndedError` that was passed to `next`. Express may take a while to respond to it.
   */
  [ENDING]?: RequestEndedError;
}
const ENDING = Symbol("eightysix.express.ending");
type Next = (error?: unknown) => void;

/**
 * Returns middleware that gives each request its context, as `req.ctx`. The context ends when the
 * client disconnects, when the response is finished, when `timeout` or the caller's `deadline` has
 * passed, or when `parent` ends (see `requestContext`). Register it first, and `contextErrors()`
 * last. Middleware may replace `req.ctx`, for example with `withValue(req.ctx, key, value)`.
 *
 * If the context ends before a response has begun, by a limit or by `parent`, `next` is called with
 * an error whose status is 503 (or the `statusOf` of the end). That happens one turn of the event
 * loop later, so that a handler that stops at once can respond by itself. A handler that goes on is
 * not disturbed, and its response is discarded. A response that has begun is left to the handler.
 * If the context has ended before the start, no handler is called.
 *
 * On one route, such as `app.post("/pay", contexts({ onDisconnect: "continue" }), pay)`, the options
 * apply to that route. It keeps the values of the outer context.
 *
 * Throws a TypeError or RangeError for a wrong option.
 *
 * @example
 * app.use(contexts({ timeout: 30_000 }));
 * app.get("/", async (req, res) => res.json((await db.query(req.ctx, "select 1")).rows));
 * app.use(contextErrors());
 */
export function contexts(
  options: RequestContextOptions & CurrentOption & DisconnectOption = {},
): (req: ExpressRequest, res: WritableResponseLike, next: Next) => void {
  checkContextsOptions(options, "contexts(options)");
  return (req, res, next) => {
    const late = (end: RequestEndedError): void => {
      if (!req[ENDING]) endEarly(req, next, end);
    };
    const { ctx, responded } = openRequest(req, res, options, late, seenBy(req));
    req.ctx = ctx;
    if (ctx.err() === undefined) callNext(req, res, options, () => req.ctx, next, responded);
    else {
      const end = requestEndedError(ctx);
      if (!isGone(end, res)) next(end);
    }
  };
}

/** Returns the context of an outer `contexts()`, to which middleware may have added values. */
function seenBy(req: ExpressRequest): Context | undefined {
  return (req as Partial<ExpressRequest>).ctx;
}

/**
 * Returns error middleware for the errors that handlers throw because a context has ended. Such an
 * error becomes one whose `status` is its `statusOf` and whose `cause` is the original. The new
 * error goes on to error middleware that is registered later, or to Express. With a 503,
 * Retry-After is set.
 *
 * If the client has disconnected, the error is dropped, `res.statusCode` is 499, and nothing is
 * sent. Any other error is passed on unchanged, unless it is `undefined` or the like, or Express
 * would throw when it reads it. An Error that says so replaces it.
 */
export function contextErrors(
  ...none: []
): (error: unknown, req: ExpressRequest, res: WritableResponseLike, next: Next) => void {
  if (none.length > 0) throw new TypeError("write app.use(contextErrors()), with parentheses");
  // Express recognizes error middleware by its four parameters.
  return (error, req, res, next) => {
    const { ctx } = req as Partial<ExpressRequest>;
    const end = ctx && asRequestEndedError(req, ctx, error);
    if (end === undefined) {
      next(sendableError(error));
      return;
    }
    const first = (req[ENDING] ??= end);
    if (first !== end || isTaken(res) || res.writableEnded || isGone(end, res)) return;
    if (!res.headersSent) {
      replaceHeaders(res);
      // Express takes the headers from the error. Other error middleware does not know of them.
      for (const header of Object.entries(end.headers)) res.setHeader(...header);
    }
    next(end);
  };
}

/**
 * Returns a handler that calls `fn` with `req.ctx` as its first parameter. If `fn` throws or
 * rejects, the error goes to `next`. Express 4 needs that because it ignores promises: the
 * unhandled rejection of a handler that stops with its client would end the process.
 *
 * Throws a TypeError if `fn` is not a function.
 *
 * @example
 * app.get("/", route(async (ctx, req, res) => res.json((await db.query(ctx, "select 1")).rows)));
 */
export function route<Req = AppRequest, Res = AppResponse>(
  fn: (ctx: Context, req: Req, res: Res, next: Next) => unknown,
): (req: Req, res: Res, next: Next) => void {
  checkFunction(fn, "route", "a handler: route((ctx, req, res) => …)");
  return (req, res, next) => {
    // Express takes an error such as `undefined` for none, and would call the next route.
    const fail = (error: unknown): void => {
      next(sendableError(error));
    };
    try {
      const { ctx } = req as Partial<ExpressRequest>;
      if (ctx === undefined) {
        throw new TypeError("route found no req.ctx; call app.use(contexts()) before the routes");
      }
      const result = fn(ctx, req, res, next) as PromiseLike<unknown> | null | undefined;
      if (typeof result?.then === "function") result.then(undefined, fail);
    } catch (error) {
      fail(error);
    }
  };
}

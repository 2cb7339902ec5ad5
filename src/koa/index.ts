/**
 * eightysix/koa: a context for every request of a Koa application.
 *
 * @packageDocumentation
 */
import type { Context } from "../index.ts";
import { cutOff, type AnswerLike } from "../http/respond/respond.ts";
import {
  asRequestEndedError,
  requestEndedError,
  type RequestEndedError,
} from "../http/respond/request-ended-error.ts";
import { openCurrent, openRequest, isGone } from "../http/framework.ts";
import type { RequestContextOptions, RequestLike } from "../http/index.ts";
import { checkCurrent, currentState, type CurrentOption } from "../http/request/current-option.ts";
import { checkLimits } from "../http/request/limits.ts";

type Ctx = Context; // inside the module below, `Context` might be its own

/* eslint-disable @typescript-eslint/ban-ts-comment -- an error only where Koa has no types */
/** @ts-ignore */
declare module "koa" {
  interface DefaultContext {
    /** The request's context, from `contexts()` of eightysix/koa. `ctx` is Koa's own name. */
    context: Ctx;
  }
}
/* eslint-enable */

/** The parts of Koa's context that are used. */
export interface KoaLike {
  req: RequestLike;
  res: AnswerLike;
  respond?: boolean;
  context?: Context;
}

/**
 * Middleware that gives requests their context, as `context` on Koa's own `ctx`: done when the
 * client has gone, when the response is finished, when `timeout` has passed or `parent` is done
 * (see `requestContext`). Use it before what needs it, and after what logs.
 *
 * What is thrown because a context is done becomes an error with its `statusOf` as `status` and
 * the original as `cause`, for `try` in outer middleware and for Koa. If the client has gone,
 * nothing is thrown or sent, and the status is 499. All other errors pass as they are.
 *
 * When the time is up and nothing was sent, that error is thrown one turn of the event loop later:
 * middleware that stops at once can answer by itself. What goes on is not waited for, and what it
 * writes goes nowhere. An answer that has begun is left to the middleware.
 */
export function contexts(
  options: RequestContextOptions & CurrentOption = {},
): (koa: KoaLike, next: () => Promise<unknown>) => Promise<void> {
  checkLimits(options, "contexts(options)");
  checkCurrent(options.current);
  return async (koa, next) => {
    const { req, res } = koa;
    let late: (end: RequestEndedError) => void;
    const ended = new Promise<never>((_, reject) => (late = reject));
    ended.catch(() => undefined);
    const ctx = openRequest(req, res, options, (end) => late(end));
    koa.context = ctx;
    try {
      if (ctx.err() !== undefined) throw requestEndedError(ctx);
      const current = openCurrent(req, res, options, () => koa.context ?? ctx);
      await Promise.race([current === undefined ? next() : current.runUntilSettled(next), ended]);
    } catch (error) {
      const end = asRequestEndedError(ctx, error, currentState(req)?.bounded);
      if (end === undefined) throw error;
      if (isGone(end, res)) koa.respond = false;
      else if (res.headersSent) {
        // Koa would leave it as it is, half an answer for ever.
        koa.respond = false;
        if (!res.writableEnded) cutOff(res);
      } else throw end;
    }
  };
}

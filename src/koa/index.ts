/**
 * eightysix/koa: a context for every request of a Koa application.
 *
 * @packageDocumentation
 */
import type { Context } from "../index.ts";
import { sendableError } from "../http/respond/sendable-error.ts";
import { replaceHeaders } from "../http/respond/replaced-headers.ts";
import { cutOff } from "../http/respond/respond.ts";
import type { WritableResponseLike } from "../http/types.ts";
import {
  asRequestEndedError,
  requestEndedError,
  type RequestEndedError,
} from "../http/respond/request-ended-error.ts";
import { openCurrent, openRequest, isGone } from "../http/framework.ts";
import type { RequestContextOptions, RequestLike } from "../http/index.ts";
import { checkContextsOptions } from "../http/request/contexts-options.ts";
import type { CurrentOption } from "../http/request/current-option.ts";
import type { DisconnectOption } from "../http/request/disconnect-option.ts";

type Ctx = Context; // `Context` might mean another type inside the module below

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
  res: WritableResponseLike;
  respond?: boolean;
  context?: Context;
  onerror?(error: Error | null): void;
}

/**
 * Returns middleware that gives each request its context, as `context` on Koa's own `ctx`. The
 * context ends when the client disconnects, when the response is finished, when `timeout` or the
 * caller's `deadline` has passed, or when `parent` ends (see `requestContext`). Register it before
 * the middleware that needs the context, and after the middleware that logs.
 *
 * If later middleware throws because a context has ended, this middleware throws an error whose
 * `status` is the `statusOf` that error and whose `cause` is the original, for a `catch` further out
 * and for Koa. If the client has disconnected, it throws nothing and sends nothing, and the status is
 * 499. Koa does not report the error of the broken connection then. Any other error passes as it is,
 * unless it is `undefined` or the like, or Koa would throw when it reads it or formats it as JSON. An
 * Error that says so replaces it.
 *
 * If the context ends before a response has begun, by a limit or by `parent`, that error is thrown
 * one turn of the event loop later, so that middleware that stops at once can respond by itself.
 * `contexts()` does not wait for middleware that goes on, and discards its response. A response
 * that has begun is left to the middleware.
 *
 * Throws a TypeError or RangeError for a wrong option.
 *
 * @example
 * app.use(contexts({ timeout: 30_000 }));
 * app.use(async (koa) => {
 *   koa.body = (await db.query(koa.context, "select 1")).rows;
 * });
 */
export function contexts(
  options: RequestContextOptions & CurrentOption & DisconnectOption = {},
): (koa: KoaLike, next: () => Promise<unknown>) => Promise<void> {
  checkContextsOptions(options, "contexts(options)");
  return async (koa, next) => {
    const { req, res } = koa;
    let late: (end: RequestEndedError) => void;
    const ended = new Promise<never>((_, reject) => (late = reject));
    ended.catch(() => undefined);
    const { ctx, responded } = openRequest(req, res, options, (end) => late(end), koa.context);
    koa.context = ctx;
    silenceConnectionError(koa);
    try {
      if (ctx.err() !== undefined) throw requestEndedError(ctx);
      const current = openCurrent(req, res, options, () => koa.context ?? ctx);
      const handling = current === undefined ? next() : current.runUntilSettled(next);
      if (responded !== undefined) handling.then(responded, responded);
      await Promise.race([handling, ended]);
    } catch (error) {
      const end = asRequestEndedError(req, ctx, error);
      if (end === undefined) throw sendableError(error, true);
      if (isGone(end, res)) koa.respond = false;
      else if (res.headersSent) {
        // Koa would leave the response half-sent for ever.
        koa.respond = false;
        if (!res.writableEnded) cutOff(res);
      } else {
        replaceHeaders(res);
        throw end;
      }
    }
  };
}

/**
 * Drops the error of a connection that breaks. Koa passes it to `onerror` by itself, which reports
 * it to the application's event `error` and prints it. It says no more than the end of the context.
 */
function silenceConnectionError(koa: KoaLike): void {
  const { req } = koa;
  const onerror = koa.onerror?.bind(koa);
  if (req.stream !== undefined || onerror === undefined) return;
  koa.onerror = (error) => {
    if (error === null || error !== req.socket.errored) onerror(error);
  };
}

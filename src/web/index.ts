/**
 * eightysix/web: a context for handlers that take a `Request` and return a `Response`: Next's route
 * handlers, Bun.serve, Deno.serve, Workers, GraphQL Yoga and others.
 *
 * @packageDocumentation
 */
import type { Context } from "../index.ts";
import { readableError } from "../http/respond/readable-error.ts";
import { asRequestEndedError, requestEndedError } from "../http/respond/request-ended-error.ts";
import {
  FetchContext,
  type FetchRequest,
  type HandlerOptions,
} from "../http/request/fetch-context.ts";
import { ContinuingRequest } from "../http/request/continuing-request.ts";
import { checkOnDisconnect } from "../http/request/disconnect-option.ts";
import { checkLimits, withLimits } from "../http/request/limits.ts";
import { checkHandler } from "./misuse.ts";
import type { WebRequest } from "./types.ts";

export type { FetchRequest, HandlerOptions };

/**
 * Returns a handler that calls `fn` with the request's context, followed by the handler's own
 * parameters. The context ends when
 *
 * - `request.signal` aborts, or the platform cancels the response's body, before the response is
 *   complete: the cause is `ClientDisconnected`;
 * - the platform has taken the whole response: the cause is `RequestFinished`;
 * - `timeout` milliseconds have passed: the cause is `LocalTimeout`;
 * - the caller's deadline has passed, if the option `deadline` accepts it: the cause is
 *   `RemoteDeadline`;
 * - `parent` ends.
 *
 * If `fn` throws because a context has ended, the response has the `statusOf` that error. Any other
 * error is thrown, for the platform. If it is `undefined` or the like, or reading it throws, an Error
 * that says so replaces it.
 *
 * If the context ends by a limit or by `parent` before `fn` has returned, the response is a 503 or
 * 504, one turn of the event loop later. If `fn` returns a response after that, the response is
 * dropped and its body is canceled. If the context has ended before the start, `fn` is not called.
 *
 * With `onDisconnect: "continue"`, the context does not end when the client disconnects. It ends as
 * finished when `fn` has settled and the request has ended.
 *
 * Some platforms do not abort `request.signal`: Yoga and Next over HTTP/2, Node 20 and 22 for a
 * request that is pipelined behind another, Workers without the flag `enable_request_signal`. There,
 * the disconnect is noticed only while a response is streamed.
 *
 * There is no option `current` here, because `fn` has the context. Call `runWithContext(ctx, () =>
 * …)` of eightysix/current for code that is handed none.
 *
 * Throws a TypeError if `fn` is not a function, and a TypeError or RangeError for a wrong option.
 *
 * @example
 * export const GET = handler(async (ctx, request) => {
 *   const { rows } = await db.query(ctx, "select 1");
 *   return Response.json(rows);
 * }, { timeout: 30_000 });
 */
export function handler<Req extends FetchRequest = WebRequest, Rest extends unknown[] = []>(
  fn: (ctx: Context, request: Req, ...rest: Rest) => Response | PromiseLike<Response>,
  options: HandlerOptions<Req> = {},
): (request: Req, ...rest: Rest) => Promise<Response> {
  checkHandler(fn);
  checkLimits(options, "handler((ctx, request) => …, options)", ["onDisconnect"]);
  checkOnDisconnect(options.onDisconnect);
  return async (request, ...rest) => {
    const context = new FetchContext(request, options);
    const continuing =
      options.onDisconnect === "continue"
        ? continuingRequest(context.ctx, request, options)
        : undefined;
    const ctx = continuing?.ctx ?? context.ctx;
    if (ctx.err() !== undefined) {
      continuing?.responded();
      return requestEndedError(ctx).getResponse();
    }
    const handling = (async () => fn(ctx, request, ...rest))();
    if (continuing) {
      const responded = (): void => continuing.responded();
      handling.then(responded, responded);
    }
    try {
      const ended = continuing ? context.endOf(ctx) : context.ended;
      const first = await Promise.race([handling, ended]);
      if (!(first instanceof Error)) return await context.follow(first);
      // A handler in JavaScript may return anything. Nothing of it may end the process.
      handling
        .then((late: Response | null | undefined) => late?.body?.cancel())
        .catch(() => undefined);
      return first.getResponse();
    } catch (error) {
      const end = asRequestEndedError(request, ctx, error);
      context.finish();
      if (end === undefined) throw readableError(error);
      return end.getResponse();
    }
  };
}

function continuingRequest(
  own: Context,
  request: FetchRequest,
  options: HandlerOptions<never>,
): ContinuingRequest {
  const limit = (ctx: Context): Context => withLimits(ctx, request, options) ?? ctx;
  return new ContinuingRequest({ own, limit, parents: [options.parent] });
}

/**
 * eightysix/web: a context for handlers that take a `Request` and return a `Response`: Next's route
 * handlers, Bun.serve, Deno.serve, Workers, GraphQL Yoga, and others.
 *
 * @packageDocumentation
 */
import type { Context } from "../index.ts";
import { asRequestEndedError, requestEndedError } from "../http/respond/request-ended-error.ts";
import {
  FetchTracked,
  type FetchOptions,
  type FetchRequest,
} from "../http/request/fetch-context.ts";
import { checkLimits } from "../http/request/limits.ts";
import type { WebRequest } from "./types.ts";

export type { FetchOptions, FetchRequest };

/**
 * Gives `fn` a context as its first parameter; the request and all others follow. The context is done when
 *
 * - `request.signal` aborts or the platform cancels the response's body, before that is complete:
 *   cause `ClientDisconnected`;
 * - the platform has taken the whole response: cause `RequestFinished`;
 * - `timeout` has passed: cause `LocalTimeout`;
 * - the caller's deadline has passed, if `deadline` says to heed it: cause `RemoteDeadline`;
 * - `parent` is done.
 *
 * What `fn` throws because a context is done is answered with its `statusOf`; all other errors are
 * thrown, for the platform. When the time is up before `fn` has returned, 503 or 504 is the answer one
 * turn of the event loop later, and what `fn` returns after that is dropped, its body canceled.
 *
 * Where the platform does not abort `request.signal` (HTTP/2 in Yoga and in Next; on Node 20 and 22
 * a request pipelined behind another; Workers without the flag `enable_request_signal`), only a
 * streamed response tells that the client has gone.
 */
export function handler<Req extends FetchRequest = WebRequest, Rest extends unknown[] = []>(
  fn: (ctx: Context, request: Req, ...rest: Rest) => Response | PromiseLike<Response>,
  options: FetchOptions<Req> = {},
): (request: Req, ...rest: Rest) => Promise<Response> {
  checkLimits(options, "handler((ctx, request) => …, options)");
  return async (request, ...rest) => {
    const tracked = new FetchTracked(request, options);
    const { ctx } = tracked;
    if (ctx.err() !== undefined) return requestEndedError(ctx).getResponse();
    const work = (async () => fn(ctx, request, ...rest))();
    try {
      const first = await Promise.race([work, tracked.ended]);
      if (!(first instanceof Error)) return await tracked.deliver(first);
      work.then(
        (late) => void late.body?.cancel().catch(() => undefined),
        () => undefined,
      );
      return first.getResponse();
    } catch (error) {
      const end = asRequestEndedError(ctx, error);
      tracked.finish();
      if (end === undefined) throw error;
      return end.getResponse();
    }
  };
}

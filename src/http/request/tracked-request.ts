/** One incoming request and its context. */
import { subscribe } from "node:diagnostics_channel";
import {
  background,
  merge,
  withCancel,
  type CancelableContext,
  type Context,
} from "../../index.ts";
import { finishRequest, openLedger } from "../../internal.ts";
import { markAsGone } from "../respond/mark-as-gone.ts";
import type { RequestLike, ResponseLike, WritableResponseLike } from "../types.ts";
import { rememberOrigin } from "../respond/foreign-end.ts";
import { clientDisconnected, requestFinished } from "./causes.ts";
import { recordCutBody } from "./cut-body.ts";
import { withLimits } from "./limits.ts";
import type { RequestContextOptions } from "./options.ts";
import type { ResponseWatch } from "./missing-response.ts";
import { onRequestEnd, type RequestEndListener } from "./request-end.ts";
import { trackerOf } from "./request-tracker.ts";

export class TrackedRequest implements RequestEndListener {
  readonly ctx: Context;
  /** The options whose limits apply to `ctx`. */
  readonly options: object;
  /** The response that is sent if the context ends first. It is forgotten when the request ends. */
  doneResponse: { forget(): void } | undefined = undefined;
  /** The response that is marked for logs if the client disconnects before it starts. */
  loggedResponse: WritableResponseLike | undefined = undefined;
  /** Development mode only. */
  responseWatch: ResponseWatch | undefined = undefined;
  /** The outermost context that belongs to this request. Its cancellation ends all others. */
  readonly #outermost: CancelableContext;
  readonly #canEndEarly: boolean;
  readonly #req: RequestLike;

  constructor(
    req: RequestLike,
    res: ResponseLike | undefined,
    options: RequestContextOptions<never>,
  ) {
    const { parent } = options;
    const tracker = trackerOf(req);
    this.options = options;
    this.#req = req;
    const merged = parent && tracker && merge(parent, tracker.requests);
    const above = merged ?? parent ?? tracker?.requests ?? background();
    const limited = withLimits(above, req, options);
    const outermost = merged ?? limited ?? withCancel(above);
    this.#outermost = outermost;
    this.ctx = openLedger(limited ?? outermost, tracker?.requests);
    this.#canEndEarly = above !== background() || limited !== undefined;
    if (res === undefined && req.stream === undefined) tracker?.onUpgrade(req);
    rememberOrigin(req, this.ctx);
    if (tracker?.isUnanswerable?.(req) === true) this.onEnd(true);
    else onRequestEnd(req, res, this);
  }

  /** Whether `ctx`, which is this request's context or a child of it, can end before the request. */
  canEndEarly(ctx: Context): boolean {
    return this.#canEndEarly || ctx !== this.ctx;
  }

  cancel(cause: unknown): void {
    this.#outermost.cancel(cause);
  }

  onEnd(isDisconnected: boolean): void {
    this.doneResponse?.forget();
    this.responseWatch?.stop();
    if (isDisconnected) {
      recordCutBody(this.#req);
      if (this.loggedResponse) markAsGone(this.loggedResponse);
    }
    if (isDisconnected) this.#outermost.cancel(clientDisconnected);
    else finishRequest(this.ctx, () => this.#outermost.cancel(requestFinished));
  }
}

/**
 * The property of a request that holds its response, which Node announces when the request starts,
 * and later its `TrackedRequest`. A WeakMap with short-lived keys costs a microsecond for each of
 * them, which is most of what a context costs.
 */
const HELD = Symbol("eightysix.http.request");
type Holder = { [HELD]?: ResponseLike | TrackedRequest };

subscribe("http.server.request.start", (message) => {
  const { request, response } = message as {
    request: RequestLike & Holder;
    response: ResponseLike;
  };
  request[HELD] = response;
});

/** Returns the `TrackedRequest` of `req`, or its response, or `undefined` if neither is known. */
export function lookUp(req: object): ResponseLike | TrackedRequest | undefined {
  return (req as Holder)[HELD];
}

/** Returns the `TrackedRequest` of `req`. The first call creates it, and its options apply. */
export function track(
  req: RequestLike,
  res: ResponseLike | undefined,
  options: RequestContextOptions<never>,
): TrackedRequest {
  const known = lookUp(req);
  if (known instanceof TrackedRequest) return known;
  // Bun does not publish on that channel, so the server that shuts down learns of the request here.
  if (known === undefined && res && !req.stream) trackerOf(req)?.onRequest(req, res);
  const tracked = new TrackedRequest(req, res, options);
  (req as Holder)[HELD] = tracked;
  return tracked;
}

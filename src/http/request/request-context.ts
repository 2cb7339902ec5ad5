/** `requestContext`: the context of an incoming request. */
import { subscribe } from "node:diagnostics_channel";
import {
  background,
  merge,
  withCancel,
  withLedger,
  type CancelableContext,
  type Context,
} from "../../index.ts";
import type { AnswerLike } from "../respond/respond.ts";
import { ClientDisconnected, RequestFinished } from "./causes.ts";
import { trackerOf } from "./request-tracker.ts";
import type { DoneResponse } from "../respond/respond-when-done.ts";
import { withLimits, type RequestLimits } from "./limits.ts";
import {
  isUpgrade,
  onRequestEnd,
  type RequestLike,
  type ResponseLike,
  type RequestEndListener,
} from "./request-end.ts";
import type { NodeRequest } from "./node-types.ts";

export interface RequestContextOptions<Req = NodeRequest> extends RequestLimits<Req> {
  /**
   * What else ends it, and where its values come from. Default: `background()`. Not the context of
   * a signal: the first SIGTERM would fail every request. Shutdown is the business of `serve`.
   */
  parent?: Context;
}

// One of each will do: they have no stack and say nothing of a single request.
const clientDisconnected = new ClientDisconnected();
export const requestFinished = new RequestFinished();

/** A request that has its context, and the right to end it. */
export class TrackedRequest implements RequestEndListener {
  readonly ctx: Context;
  readonly scope: CancelableContext;
  /** Whose limits it knows. */
  readonly options: object;
  readonly #endsEarly: boolean;
  /** What answers if the end comes first: forgotten when the response is finished, as most are. */
  late: DoneResponse | undefined = undefined;
  /** The answer in which logs are to find 499 if the client leaves before it has begun. */
  logged: AnswerLike | undefined = undefined;

  constructor(
    req: RequestLike,
    res: ResponseLike | undefined,
    options: RequestContextOptions<never>,
  ) {
    const { parent } = options;
    const home = trackerOf(req);
    this.options = options;
    const both = parent && home && merge(parent, home.requests);
    const above = both ?? parent ?? home?.requests ?? background();
    const limited = withLimits(above, req, options);
    // The outermost of ours: what it ends, ends the rest.
    const scope = both ?? limited ?? withCancel(above);
    this.scope = scope;
    this.ctx = withLedger(limited ?? scope);
    this.#endsEarly = above !== background() || limited !== undefined;
    if (res === undefined && req.stream === undefined) home?.onUpgrade(req);
    onRequestEnd(req, res, this);
  }

  /** Whether `ctx`, this one or one made of it, can end before the request does. */
  canBeLate(ctx: Context): boolean {
    return this.#endsEarly || ctx !== this.ctx;
  }

  onEnd(gone: boolean): void {
    if (!gone) this.late?.forget();
    else if (this.logged?.headersSent === false) this.logged.statusCode = 499;
    this.scope.cancel(gone ? clientDisconnected : requestFinished);
  }
}

/**
 * On each request its response, as Node says when it starts, and then its context. A property: a
 * WeakMap keyed by short-lived objects costs a microsecond each, most of what a context costs.
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

/** The context that a request has already, or a new one. */
export function track(
  req: RequestLike,
  res: ResponseLike | undefined,
  options: RequestContextOptions<never>,
): TrackedRequest {
  const known = (req as Holder)[HELD];
  if (known instanceof TrackedRequest) return known;
  // Bun has no such channel: there, the server that shuts down hears of the request from us.
  if (known === undefined && res && !req.stream) trackerOf(req)?.onRequest(req, res);
  const tracked = new TrackedRequest(req, res, options);
  (req as Holder)[HELD] = tracked;
  return tracked;
}

/**
 * The context of a request to a `node:http`, `node:https` or `node:http2` server: one for each
 * request, made by the first call, whose options count. It is done when
 *
 * - the client has gone before it had the whole response: cause `ClientDisconnected`;
 * - the response is finished: cause `RequestFinished`, which counts as finished and not as canceled;
 * - `timeout` has passed: cause `LocalTimeout`;
 * - the caller's deadline has passed, if `deadline` says to heed it: cause `RemoteDeadline`;
 * - the server that `serve` shuts down waits no longer: cause `Shutdown`;
 * - `parent` is done.
 *
 * For a request that was upgraded (`upgrade` and `connect` events) it lasts as long as the
 * connection: `RequestFinished` if this side has ended it first, else `ClientDisconnected`.
 *
 * May be called late: a request that is over has a context that is done. Nobody has to end it.
 * It keeps a ledger, for `working` and `stopped`.
 *
 * `response` is found by itself over HTTP/2, and on Node if this module was loaded before the
 * request arrived; else pass it. Throws a TypeError if it is needed.
 */
export function requestContext<Req extends RequestLike = NodeRequest>(
  req: Req,
  options: RequestContextOptions<Req> & { response?: ResponseLike } = {},
): Context {
  const known = (req as Holder)[HELD];
  if (known instanceof TrackedRequest) return known.ctx;
  const res = options.response ?? known ?? (req as { res?: ResponseLike }).res; // Express sets `res`
  if (res === undefined && req.stream === undefined && !isUpgrade(req)) {
    throw new TypeError(
      "requestContext cannot find the response of this request; pass { response }, or import eightysix/http before the server starts",
    );
  }
  return track(req, res, options).ctx;
}

/** `requestContext`: the context of an incoming request. */
import { subscribe } from "node:diagnostics_channel";
import {
  background,
  withCancel,
  withLedger,
  withTimeout,
  type CancelableContext,
  type Context,
} from "../index.ts";
import { ClientDisconnected, LocalTimeout, RequestFinished } from "./causes.ts";
import { onOver, type RequestLike, type ResponseLike } from "./over.ts";

export interface RequestContextOptions {
  /** The server's own limit in milliseconds; `LocalTimeout` is the cause when it passes. Default: none. */
  timeout?: number;
  /** What else ends it, and where its values come from. Default: `background()`. */
  parent?: Context;
}

// One of each will do: they have no stack and say nothing of a single request.
const clientDisconnected = new ClientDisconnected();
const requestFinished = new RequestFinished();
export const localTimeout = new LocalTimeout();

/** A request that has its context, and the right to end it. */
export class Tracked {
  readonly ctx: Context;
  readonly scope: CancelableContext;
  readonly timeout: number | undefined;
  /** Takes back what waits for the end, if that is that the response is finished: most are. */
  stop: (() => unknown) | undefined = undefined;

  constructor(req: RequestLike, res: ResponseLike, options: RequestContextOptions) {
    const { timeout, parent = background() } = options;
    this.timeout = timeout;
    const scope =
      timeout === undefined
        ? withCancel(parent)
        : withTimeout(parent, timeout, { cause: localTimeout });
    this.scope = scope;
    this.ctx = withLedger(scope);
    onOver(req, res, (gone) => {
      if (!gone) this.stop?.();
      scope.cancel(gone ? clientDisconnected : requestFinished);
    });
  }
}

/**
 * On each request its response, as Node says when it starts, and then its context. A property: a
 * WeakMap keyed by short-lived objects costs a microsecond each, most of what a context costs.
 */
const HELD = Symbol("eightysix.http.request");
type Holder = { [HELD]?: ResponseLike | Tracked };

subscribe("http.server.request.start", (message) => {
  const { request, response } = message as { request: Holder; response: ResponseLike };
  request[HELD] = response;
});

/** The context that a request has already, or a new one. */
export function track(
  req: RequestLike,
  res: ResponseLike,
  options: RequestContextOptions,
): Tracked {
  const known = (req as Holder)[HELD];
  if (known instanceof Tracked) return known;
  const tracked = new Tracked(req, res, options);
  (req as Holder)[HELD] = tracked;
  return tracked;
}

/**
 * The context of a request to a `node:http` or `node:https` server (HTTP/1.1): one for each
 * request, made by the first call, whose options count. It is done when
 *
 * - the client has gone before it had the whole response: cause `ClientDisconnected`;
 * - the response is finished: cause `RequestFinished`, which counts as finished and not as canceled;
 * - `timeout` has passed: cause `LocalTimeout`;
 * - `parent` is done.
 *
 * May be called late: a request that is over has a context that is done. Nobody has to end it.
 * It keeps a ledger, for `working` and `stopped`.
 *
 * `response` is found by itself if this module was loaded before the request arrived, on Node;
 * else pass it. Throws a TypeError if it is needed.
 */
export function requestContext(
  req: RequestLike,
  options: RequestContextOptions & { response?: ResponseLike } = {},
): Context {
  const known = (req as Holder)[HELD];
  if (known instanceof Tracked) return known.ctx;
  const res = options.response ?? known ?? (req as { res?: ResponseLike }).res; // Express sets `res`
  if (res === undefined) {
    throw new TypeError(
      "requestContext cannot find the response of this request; pass { response }, or import eightysix/http before the server starts",
    );
  }
  return track(req, res, options).ctx;
}

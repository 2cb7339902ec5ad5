/** How a request finds the `serve` that its server belongs to: by its connection. */
import { subscribe } from "node:diagnostics_channel";
import type { Context } from "../../index.ts";
import type { RequestLike, ResponseLike } from "./request-end.ts";

/** What `serve` leaves on every connection (and HTTP/2 session) of its server. */
export interface RequestTracker {
  /** Done when the grace is over: the parent of the contexts of requests. */
  readonly requests: Context;
  /** An HTTP/1 request has begun. */
  onRequest(req: RequestLike, res: ResponseLike): void;
  /** Somebody holds the context of this upgraded connection, and so will be told. */
  onUpgrade(req: RequestLike): void;
  /** Work that outlives its request: is waited for, until it calls what is returned. */
  continues(): () => void;
}

/** Shared by all copies of the package: one may serve, and another know the request. */
const HOME = Symbol.for("eightysix.http.home");
type Housed = { [HOME]?: RequestTracker };

export function attach(connection: object, home: RequestTracker): void {
  (connection as Housed)[HOME] = home;
}

export function trackerOf(req: RequestLike): RequestTracker | undefined {
  // In HTTP/2 `socket` is a proxy that throws once the session is gone.
  if (req.stream !== undefined) return (req.stream.session as Housed | null | undefined)?.[HOME];
  return (req.socket as Housed)[HOME];
}

let told = false;

/**
 * From now on homes are told of their requests. To be called, and not done when this file is
 * loaded: a bundler may leave out a file that nobody calls.
 */
export function subscribeToRequests(): void {
  if (told) return;
  told = true;
  subscribe("http.server.request.start", (message) => {
    const { request, response } = message as { request: RequestLike; response: ResponseLike };
    trackerOf(request)?.onRequest(request, response);
  });
}

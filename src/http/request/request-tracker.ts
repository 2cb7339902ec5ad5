/** How a request finds the `serve` of its server: through its connection. */
import { subscribe } from "node:diagnostics_channel";
import type { Context } from "../../index.ts";
import type { RequestLike, ResponseLike } from "../types.ts";

/** What `serve` attaches to every connection (and HTTP/2 session) of its server. */
export interface RequestTracker {
  /** The parent of the requests' contexts. It ends when the grace period has passed. */
  readonly requests: Context;
  /** Called when an HTTP/1 request starts. */
  onRequest(req: RequestLike, res: ResponseLike): void;
  /**
   * Returns whether the request came behind a response that says `Connection: close`. Its client has
   * been told that it is not processed. (A copy of an older version does not know of this.)
   */
  isUnanswerable?(req: RequestLike): boolean;
  /**
   * Called when the context of an upgraded connection is created. Code that watches that context is
   * expected to end the connection.
   */
  onUpgrade(req: RequestLike): void;
  /**
   * Called when work continues after its client has disconnected. The shutdown waits for that work
   * until the returned function is called.
   */
  continues(): () => void;
}

/**
 * Shared by all copies of the package: the copy that serves and the copy that creates the context of
 * a request may differ.
 */
const TRACKER = Symbol.for("eightysix.http.tracker");
type Tracked = { [TRACKER]?: RequestTracker };

export function attach(connection: object, tracker: RequestTracker): void {
  (connection as Tracked)[TRACKER] = tracker;
}

export function trackerOf(req: RequestLike): RequestTracker | undefined {
  // Over HTTP/2, `socket` is a proxy that throws once the session has ended.
  if (req.stream !== undefined)
    return (req.stream.session as Tracked | null | undefined)?.[TRACKER];
  return (req.socket as Tracked)[TRACKER];
}

let isSubscribed = false;

/**
 * Tells trackers about their requests from now on. This is a function, and not a statement of the
 * module, because a bundler may leave out a module whose exports are not used.
 */
export function subscribeToRequests(): void {
  if (isSubscribed) return;
  isSubscribed = true;
  subscribe("http.server.request.start", (message) => {
    const { request, response } = message as { request: RequestLike; response: ResponseLike };
    trackerOf(request)?.onRequest(request, response);
  });
}

/** How a request finds the `serve` that its server belongs to: by its connection. */
import { subscribe } from "node:diagnostics_channel";
import type { Context } from "../index.ts";
import type { RequestLike, ResponseLike } from "./over.ts";

/** What `serve` leaves on every connection (and HTTP/2 session) of its server. */
export interface Home {
  /** Done when the grace is over: the parent of the contexts of requests. */
  readonly requests: Context;
  /** An HTTP/1 request has begun. */
  arrived(req: RequestLike, res: ResponseLike): void;
  /** Somebody holds the context of this upgraded connection, and so will be told. */
  upgraded(req: RequestLike): void;
  /** Work that outlives its request: is waited for, until it calls what is returned. */
  stays(): () => void;
}

/** Shared by all copies of the package: one may serve, and another know the request. */
const HOME = Symbol.for("eightysix.http.home");
type Housed = { [HOME]?: Home };

export function settle(connection: object, home: Home): void {
  (connection as Housed)[HOME] = home;
}

export function homeOf(req: RequestLike): Home | undefined {
  // In HTTP/2 `socket` is a proxy that throws once the session is gone.
  if (req.stream !== undefined) return (req.stream.session as Housed | null | undefined)?.[HOME];
  return (req.socket as Housed)[HOME];
}

let told = false;

/**
 * From now on homes are told of their requests. To be called, and not done when this file is
 * loaded: a bundler may leave out a file that nobody calls.
 */
export function tellHomes(): void {
  if (told) return;
  told = true;
  subscribe("http.server.request.start", (message) => {
    const { request, response } = message as { request: RequestLike; response: ResponseLike };
    homeOf(request)?.arrived(request, response);
  });
}

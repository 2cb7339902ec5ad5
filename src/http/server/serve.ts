/// <reference lib="esnext.disposable" preserve="true" />
/** `serve`: a server that ends well. `served.ts` does it. */
import type { Context } from "../../index.ts";
import type { ServerLike } from "./connections.ts";
import { ServerShutdown } from "./shutdown.ts";

/** All durations are milliseconds. */
export interface ServeOptions {
  /** What starts the shutdown. Default: SIGTERM and SIGINT; `[]` for none. */
  signals?: readonly string[];
  /** Starts the shutdown too when it is done, whatever its cause. */
  until?: Context;
  /** How long new connections are still taken after the start, for load balancers to see `draining`. Default: 0. */
  delay?: number;
  /** How long requests may go on by themselves after that. Default: 7000. */
  gracePeriod?: number;
  /** How long they have to stop once they are told, before connections are destroyed. Default: 2000. */
  forceAfter?: number;
}

/** How it went. */
export interface ShutdownReport {
  /** The signal that started it, as "SIGTERM"; `undefined` if it was `close` or `until`. */
  readonly signal: string | undefined;
  /** Requests that were under way, or came in, while the server was draining, and ended by themselves. */
  readonly drained: number;
  /** Requests and upgraded connections that were still there at the end of the grace, and were told to stop. */
  readonly canceled: number;
  /** Connections that were destroyed because nothing else helped. */
  readonly destroyed: number;
  /** Milliseconds from the start to the last connection's end. */
  readonly took: number;
}

/** A server that is served: listening or not, draining, or over. */
export interface Serving extends AsyncDisposable {
  /** True once the shutdown has started: let the readiness probe answer 503. */
  readonly draining: boolean;
  /**
   * Done once the shutdown has started, with the cause `Shutdown`. For what would never end by
   * itself: an event stream or a WebSocket that hears of it can say goodbye at once, where it would
   * else use up the whole grace. Not the parent of the requests' contexts.
   */
  readonly context: Context;
  /**
   * Done when the grace is over, with the cause `Shutdown`: the parent of the contexts of requests.
   * Those of eightysix/http find it by their connection. A handler that sees none, as those of
   * eightysix/web, needs it as its `parent`.
   */
  readonly requests: Context;
  /** Resolves when the server is closed, by a shutdown or by its own `close()`. Never rejects. */
  readonly done: Promise<ShutdownReport>;
  /** Starts the shutdown, if nothing has, and waits for its end. Never rejects. */
  close(): Promise<ShutdownReport>;
}

/**
 * Shuts `server` down well when the process is told to end, or on `close()`. For servers of
 * `node:http`, `node:https` and `node:http2`. Call it before the first connection: it does not
 * listen for you.
 *
 * 1. *Draining.* `draining` is true, `context` is done. Every answer now says `Connection: close`.
 *    For `delay` nothing else changes.
 * 2. *Closed.* No new connections. Idle connections are closed, also those that have never been
 *    used; HTTP/2 sessions say GOAWAY. Requests go on as if nothing had happened.
 * 3. *Told*, `grace` later. The contexts of all requests that are left end with the cause
 *    `Shutdown`: `handler` answers 503 with Retry-After, streams and upgraded connections that
 *    heed their context end. An upgraded connection whose context nobody has asked for gets a FIN.
 * 4. *Destroyed*, `hard` later: every connection that is left.
 *
 * Each step happens only if something is left. A second signal exits at once, with 128 and its
 * number; its echo within 250 ms, as under npm, does not count. Once it is over signals do again
 * what they do by default, and the process ends when nothing else keeps it running: close the
 * pools after `await serving.done`.
 *
 * The context that a *signal* ends must not be the parent of requests: they would fail at step 1,
 * with seconds to spare in which nearly all of them would have been answered. What they have for
 * a parent here is the end of the *grace*.
 */
export function serve(server: ServerLike, options: ServeOptions = {}): Serving {
  const { prependListener, close } = Object(server) as Partial<ServerLike>;
  if (typeof prependListener !== "function" || typeof close !== "function") {
    throw new TypeError(
      `serve needs a server as its first argument, got ${typeof server}; pass what createServer of node:http, node:https or node:http2 returns`,
    );
  }
  return new ServerShutdown(server, options);
}

/** The public types of `serve`. */
/// <reference lib="esnext.disposable" preserve="true" />
import type { Context } from "../../index.ts";

// eslint-disable-next-line @typescript-eslint/no-explicit-any -- each event has its own parameters
export type Listener = (...args: any[]) => void;

/** The parts of an `http.Server`, `https.Server` or `http2` server that `serve` uses. */
export interface ServerLike {
  prependListener(event: string, listener: Listener): unknown;
  off(event: string, listener: Listener): unknown;
  close(): unknown;
  closeIdleConnections?(): void;
}

/** All durations are milliseconds. `Infinity` means no limit. */
export interface ServeOptions {
  /** The signals that start the shutdown. Default: SIGTERM and SIGINT. `[]` means none. */
  signals?: readonly string[];
  /** A context whose end starts the shutdown too, whatever its cause. */
  until?: Context;
  /**
   * How long the server still accepts new connections after the shutdown has started, so that load
   * balancers can see `draining`. Default: 0.
   */
  delay?: number;
  /** How long requests may take after the server has stopped accepting connections. Default: 7000. */
  gracePeriod?: number;
  /** How long canceled requests may take to stop before connections are destroyed. Default: 2000. */
  forceAfter?: number;
  /**
   * Called with each error of a function that a request has passed to `detach`, and with the context
   * of that function. The shutdown waits for the promise that it returns, as for the function.
   * Default: a process warning.
   */
  onDetachedError?: (ctx: Context, error: unknown) => unknown;
}

/** What a shutdown did. */
export interface ShutdownReport {
  /** The signal that started the shutdown, such as "SIGTERM". `undefined` after `close` or `until`. */
  readonly signal: string | undefined;
  /** Requests that ended by themselves after the shutdown had started. */
  readonly drained: number;
  /** Requests and upgraded connections that were canceled at the end of the grace period. */
  readonly canceled: number;
  /** Connections that were destroyed, because their requests did not stop. */
  readonly destroyed: number;
  /**
   * Functions of `shield` and `detach` that were given up: they were still running when their budget
   * or `forceAfter` had passed. Not 0 means that a step may be half done.
   */
  readonly abandoned: number;
  /** Milliseconds from the start of the shutdown to the end of the last connection. */
  readonly took: number;
}

/** A server that `serve` looks after. It may listen or not, shut down, or be closed. */
export interface Serving extends AsyncDisposable {
  /** Whether the shutdown has started. A readiness probe should then respond with 503. */
  readonly draining: boolean;
  /**
   * Ends when the shutdown starts, with the cause `Shutdown`. It is for requests that would never
   * end by themselves: an event stream or a WebSocket that watches it can close at once, and does
   * not use up the grace period. Do not make it the parent of requests' contexts.
   */
  readonly context: Context;
  /**
   * The parent of the requests' contexts. It ends when the grace period has passed, with the cause
   * `Shutdown`. The contexts of eightysix/http find it through their connection. A handler that sees
   * no connection, such as one of eightysix/web, needs it as its `parent`.
   */
  readonly requests: Context;
  /** Resolves when the server is closed, by the shutdown or by its own `close()`. Never rejects. */
  readonly done: Promise<ShutdownReport>;
  /** Starts the shutdown, if it has not started, and waits for its end. Never rejects. */
  close(): Promise<ShutdownReport>;
}

/** `serve`: shuts a server down in phases. `shutdown.ts` does the work. */
import { checkFunction, checkOptions, show } from "../../internal.ts";
import { checkContextOption } from "../checks.ts";
import { ServerShutdown } from "./shutdown.ts";
import { checkSignals } from "./signals.ts";
import type { ServeOptions, ServerLike, Serving } from "./types.ts";

/**
 * Shuts `server` down in phases when the process gets a signal, or on `close()`. Works with servers
 * of `node:http`, `node:https` and `node:http2`. Call it before the first connection arrives. It does
 * not call `listen`.
 *
 * 1. **Draining.** `draining` becomes true, and `context` ends. From now on, the last response of
 *    each connection says `Connection: close`. Nothing else changes for `delay` milliseconds.
 * 2. **Closing.** The server accepts no new connections. It closes idle connections, and connections
 *    that were never used. HTTP/2 sessions send GOAWAY. Requests go on undisturbed for `gracePeriod`
 *    milliseconds, and so do requests that arrive on connections that are in use.
 * 3. **Canceling.** The contexts of the remaining requests end with the cause `Shutdown`. `handler`
 *    responds with 503 and Retry-After. Streams and upgraded connections that watch their context
 *    end. An upgraded connection whose context was never asked for gets a FIN. All of them have
 *    `forceAfter` milliseconds to stop.
 * 4. **Destroying.** The remaining connections are destroyed. If the server has not closed 1 s later,
 *    it counts as closed: a connection that was opened before this call can keep it open.
 * 5. **Closed.** `done` resolves, at the latest `delay` + `gracePeriod` + `forceAfter` + 1 s after the
 *    start.
 *
 * The functions of `shield` and of `detach` that a request has started count as a part of it, also
 * after its response: until they have ended, their budgets have passed, or the destroying phase has
 * begun. `report.abandoned` counts those that had not ended.
 *
 * A phase starts only if something is left for it: when the last connection and the last such function
 * have ended, the server is closed.
 *
 * A second signal exits the process at once, with 128 plus the number of the signal. A repeated signal
 * within 250 ms, as npm sends it, does not count as a second one. When the server is closed, signals
 * have their default effect again, and the process ends when nothing else keeps it running. Close
 * connection pools after `await serving.done`.
 *
 * Do not make the context of a *signal* the parent of requests. Those requests would fail in phase
 * 1, although nearly all of them would have finished in the grace period. `serve` makes a context
 * that ends in phase 3 their parent.
 *
 * Throws a TypeError or a RangeError if an option is unknown or makes no sense.
 *
 * @example
 * const server = createServer(handler(listener));
 * const serving = serve(server, { gracePeriod: 7_000 });
 * server.listen(8080);
 * await serving.done;
 * await pool.end();
 */
export function serve(server: ServerLike, options: ServeOptions = {}): Serving {
  checkServer(server);
  checkOptions(options, "serve(server, options)", [
    ...["signals", "until", "delay", "gracePeriod", "forceAfter", "onDetachedError"],
  ]);
  const { signals = [], until, delay, gracePeriod, forceAfter, onDetachedError } = options;
  checkSignals(signals, "serve");
  checkContextOption(until, "until");
  checkDuration(delay, "delay");
  checkDuration(gracePeriod, "gracePeriod");
  checkDuration(forceAfter, "forceAfter");
  if (onDetachedError !== undefined) {
    checkFunction(onDetachedError, "onDetachedError", "(ctx, error) => …");
  }
  return new ServerShutdown(server, options);
}

function checkServer(server: unknown): void {
  const { prependListener, close } = Object(server) as Partial<ServerLike>;
  if (typeof prependListener === "function" && typeof close === "function") return;
  const isApp = typeof (server as { listen?: unknown } | null | undefined)?.listen === "function";
  const hint = isApp
    ? "for an application, pass the server that app.listen() or createServer(app) returns (app.server in Fastify)"
    : "pass the server that createServer of node:http, node:https or node:http2 returns";
  throw new TypeError(`serve needs a server as its first argument, got ${show(server)}; ${hint}`);
}

function checkDuration(ms: unknown, name: string): void {
  if (ms === undefined || (typeof ms === "number" && ms >= 0)) return;
  const Refusal = typeof ms === "number" ? RangeError : TypeError;
  throw new Refusal(
    `${name} is a number of milliseconds from 0 on, got ${show(ms)}; pass a number, or Infinity for no limit`,
  );
}

/**
 * An interceptor for undici's dispatchers. A dispatcher talks to a handler in one of two interfaces:
 * `onConnect` (undici 5 to 7, and the undici inside Node 20 to 24) and `onRequestStart` (undici 7 and
 * later). The interceptor supports both.
 */
import { needContext } from "../adapter/misuse.ts";
import { afterFunc, startWork, type Context, type Stop, type Work } from "../index.ts";
import { describeRequest, outgoingHeaders } from "./outgoing-headers.ts";
import {
  outgoingSettings,
  type OutgoingOptions,
  type OutgoingSettings,
} from "./outgoing-settings.ts";

/** The options of a dispatch that are used here. */
interface DispatchOptions {
  origin?: string | URL;
  path?: string;
  method?: string;
  headers?: unknown;
  /** The dispatcher of undici 6 follows redirects itself and sends all headers to every host. */
  maxRedirections?: number;
}

type Method = (...args: unknown[]) => unknown;
type Handler = Record<string, unknown>;

/** The parameter of `dispatcher.compose`. */
export type ContextInterceptor = <Dispatch extends (options: never, handler: never) => boolean>(
  dispatch: Dispatch,
) => Dispatch;

/**
 * Returns an interceptor for one context. `agent.compose` with it returns the same agent, with the
 * same connections, whose requests are stopped when `ctx` ends. It is cheap to create one for each
 * request.
 *
 * `ctx` also ends the wait for a connection and the body of the response. A request that `ctx` stopped
 * fails with `ctx.err()`. `undici.request` rejects with it. undici's `fetch` rejects with "fetch
 * failed" and has it among its causes. In the ledger the work is `undici.request`.
 *
 * If undici's `fetch` follows redirects, each host gets only the headers that it may get. In `compose`,
 * put this interceptor before one that follows redirects.
 *
 * Throws a TypeError for an unknown option and for a wrong value.
 *
 * @example
 * const dispatcher = agent.compose(contextInterceptor(ctx));
 * const { body } = await undici.request(url, { dispatcher });
 */
export function contextInterceptor(
  ctx: Context,
  options: OutgoingOptions = {},
): ContextInterceptor {
  needContext(ctx, "contextInterceptor(ctx, options)");
  const settings = outgoingSettings(options, "contextInterceptor");
  return ((dispatch: (options: DispatchOptions, handler: object) => boolean) =>
    (dispatchOptions: DispatchOptions, handler: Handler): boolean => {
      const { origin, path = "/", method = "GET" } = dispatchOptions;
      const base = origin === undefined ? undefined : String(origin);
      const url = URL.canParse(path, base) ? new URL(path, base) : undefined;
      let headers;
      try {
        headers = headersFor(ctx, settings, dispatchOptions, url);
      } catch (error) {
        reportError(handler, error);
        return false;
      }
      const work = startWork(ctx, "undici.request", describeRequest(method, url));
      const running = new RunningDispatch(ctx, work, handler);
      try {
        return dispatch({ ...dispatchOptions, headers }, running.handler);
      } catch (error) {
        running.end();
        throw error;
      }
    }) as unknown as ContextInterceptor;
}

function headersFor(
  ctx: Context,
  settings: OutgoingSettings,
  dispatchOptions: DispatchOptions,
  url: URL | undefined,
) {
  const own = pairsOf(dispatchOptions.headers);
  const added = outgoingHeaders(ctx, settings, {
    url: (dispatchOptions.maxRedirections ?? 0) > 0 ? undefined : url,
    method: dispatchOptions.method ?? "GET",
    header: (name) => own.find(([key]) => String(key).toLowerCase() === name)?.[1] as string,
  });
  if (added.length === 0) return dispatchOptions.headers;
  const kept = own.filter(([key]) => !added.some(([name]) => name === String(key).toLowerCase()));
  return [...kept, ...added].flat();
}

/** undici takes headers as a flat list, as an iterable of pairs, and as an object. */
function pairsOf(headers: unknown): [unknown, unknown][] {
  if (typeof headers !== "object" || headers === null) return [];
  if (Array.isArray(headers)) {
    const list: unknown[] = headers;
    return list.flatMap((name, i) =>
      i % 2 === 0 ? [[name, list[i + 1]] as [unknown, unknown]] : [],
    );
  }
  if (Symbol.iterator in headers) return [...(headers as Iterable<[unknown, unknown]>)];
  return Object.entries(headers);
}

/** Reports the error of a request that was not sent to its handler, as undici does. */
function reportError(handler: Handler, error: unknown): void {
  const { onResponseError, onError } = handler as Record<string, Method | undefined>;
  const ignore = (): void => undefined;
  if (onResponseError === undefined) onError?.call(handler, error);
  else {
    const controller = { aborted: true, paused: false, reason: error };
    const methods = { abort: ignore, pause: ignore, resume: ignore };
    onResponseError.call(handler, { ...controller, ...methods }, error);
  }
}

/** The handler's methods that are called last: the request has ended, or becomes another protocol. */
const LAST_METHODS = [
  ...["onComplete", "onError", "onUpgrade"], // of `onConnect`
  ...["onResponseEnd", "onResponseError", "onRequestUpgrade"], // of `onRequestStart`
];

/** One request. It watches its context until the request has ended. */
class RunningDispatch {
  readonly #work: Work;
  readonly #unwatch: Stop;
  #state: "stopped" | "abandoned" = "stopped";
  /** Aborts the request. Set when the request has a connection. */
  #abort: ((reason: unknown) => void) | undefined;
  /** Set when the context has ended while the request waited for a connection. */
  #canceled: { reason: unknown } | undefined;

  constructor(ctx: Context, work: Work, inner: Handler) {
    this.#work = work;
    this.#unwatch = afterFunc(ctx, (reason) => {
      if (this.#abort !== undefined) {
        this.#state = "abandoned"; // as in `Exchange`, a server cannot confirm that it has stopped
        this.#abort(reason); // calls the handler, which ends the work
        this.end();
        return;
      }
      this.#canceled = { reason };
      this.#work.end();
      reportError(inner, reason);
    });
    this.handler = new Proxy(inner, { get: (_, name) => this.#method(inner, name as string) });
  }

  /** The handler for undici. It has all methods of the inner one and observes the start and the end. */
  readonly handler: Handler;

  #method(inner: Handler, name: string): unknown {
    const value = inner[name];
    if (typeof value !== "function") return value;
    const method = (value as Method).bind(inner);
    if (name === "onConnect" || name === "onRequestStart") {
      return (start: Start, ...rest: unknown[]) => {
        const abort = typeof start === "function" ? start : start.abort.bind(start);
        // A connection that arrives too late is not used.
        if (this.#canceled !== undefined) abort(this.#canceled.reason);
        else {
          this.#abort = abort; // a retry or a redirect in the dispatcher below starts again
          method(start, ...rest);
        }
      };
    }
    const isLast = LAST_METHODS.includes(name);
    return (...args: unknown[]) => {
      if (this.#canceled !== undefined) return undefined;
      if (isLast) this.end();
      return method(...args);
    };
  }

  end(): void {
    this.#unwatch();
    this.#work.end(this.#state);
  }
}

/** The first argument of `onConnect`, or that of `onRequestStart`. */
type Start = ((reason: unknown) => void) | { abort(reason: unknown): void };

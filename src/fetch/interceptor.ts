/**
 * An interceptor for undici's dispatchers. It speaks both of their handlers' languages, `onConnect`
 * (undici 5 to 7, and what is in Node 20 to 24) and `onRequestStart` (from undici 7 on).
 */
import { needContext } from "../adapter/misuse.ts";
import { afterFunc, startWork, type Context, type Stop, type Work } from "../index.ts";
import { settingsOf, type OutgoingOptions, type Settings } from "./settings.ts";
import { describe, outgoingHeaders } from "./outgoing-headers.ts";

/** The parts of a dispatcher's options that are used. */
interface DispatchOptions {
  origin?: string | URL;
  path?: string;
  method?: string;
  headers?: unknown;
  /** undici 6 follows redirects below us, and takes all headers along. */
  maxRedirections?: number;
}

type Method = (...args: unknown[]) => unknown;
type Handler = Record<string, unknown>;

/** What `dispatcher.compose` takes. */
export type ContextInterceptor = <Dispatch extends (options: never, handler: never) => boolean>(
  dispatch: Dispatch,
) => Dispatch;

/**
 * `agent.compose(contextInterceptor(ctx))` is the same agent, with the same connections, for `ctx`
 * alone; making one for each request is cheap. A request that `ctx` ends fails with `ctx.err()`,
 * as `undici.request` passes it on; `fetch` says "fetch failed" and has it among its causes. The
 * response's body counts too. In the ledger it is `undici.request`.
 *
 * Each hop of a redirect that undici's `fetch` follows is told what its host may be told. Before an
 * interceptor that follows redirects, this one must come first in `compose`.
 */
export function contextInterceptor(
  ctx: Context,
  options: OutgoingOptions = {},
): ContextInterceptor {
  needContext(ctx, "contextInterceptor(ctx, options)");
  const settings = settingsOf(options);
  return ((dispatch: (options: DispatchOptions, handler: object) => boolean) =>
    (given: DispatchOptions, handler: Handler): boolean => {
      const { origin, path = "/", method = "GET" } = given;
      const base = origin === undefined ? undefined : String(origin);
      const url = URL.canParse(path, base) ? new URL(path, base) : undefined;
      let headers;
      try {
        headers = headersFor(ctx, settings, given, url);
      } catch (error) {
        fail(handler, error);
        return false;
      }
      const work = startWork(ctx, "undici.request", describe(method, url));
      const watched = new Watched(ctx, work, handler);
      try {
        return dispatch({ ...given, headers }, watched.handler);
      } catch (error) {
        watched.end();
        throw error;
      }
    }) as unknown as ContextInterceptor;
}

function headersFor(
  ctx: Context,
  settings: Settings,
  given: DispatchOptions,
  url: URL | undefined,
) {
  const pairs = pairsOf(given.headers);
  const told = outgoingHeaders(ctx, settings, {
    url: (given.maxRedirections ?? 0) > 0 ? undefined : url,
    method: given.method ?? "GET",
    header: (name) => pairs.find(([own]) => String(own).toLowerCase() === name)?.[1] as string,
  });
  if (told.length === 0) return given.headers;
  const kept = pairs.filter(([own]) => !told.some(([name]) => name === String(own).toLowerCase()));
  return [...kept, ...told].flat();
}

/** undici takes a flat list, an iterable of pairs, and an object. */
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

/** Nothing has been sent: the handler is told as undici would. */
function fail(handler: Handler, error: unknown): void {
  const { onResponseError, onError } = handler as Record<string, Method | undefined>;
  const nothing = (): void => undefined;
  if (onResponseError === undefined) onError?.call(handler, error);
  else {
    const controller = { aborted: true, paused: false, reason: error };
    const methods = { abort: nothing, pause: nothing, resume: nothing };
    onResponseError.call(handler, { ...controller, ...methods }, error);
  }
}

/** Those that say the request is over, or is HTTP no more; the newer names after the older. */
const LAST = ["onComplete", "onError", "onUpgrade"].concat([
  "onResponseEnd",
  "onResponseError",
  "onRequestUpgrade",
]);

/** One request: ended by its context, and that watched until it is over. */
class Watched {
  readonly #work: Work;
  readonly #takeBack: Stop;
  #state: "stopped" | "abandoned" = "stopped";
  /** Since it has a connection. */
  #abort: ((reason: unknown) => void) | undefined;
  /** It waited for a connection and was told that there will be none. */
  #left: { reason: unknown } | undefined;

  constructor(ctx: Context, work: Work, inner: Handler) {
    this.#work = work;
    this.#takeBack = afterFunc(ctx, (reason) => {
      if (this.#abort !== undefined) {
        this.#state = "abandoned"; // as in `Exchange`: HTTP cannot say what became of it
        this.#abort(reason); // calls the handler, which ends the work
        this.end();
        return;
      }
      this.#left = { reason };
      this.#work.end();
      fail(inner, reason);
    });
    this.handler = new Proxy(inner, { get: (_, name) => this.#method(inner, name as string) });
  }

  /** The handler as undici sees it: with all that it has, but we hear of the start and of the end. */
  readonly handler: Handler;

  #method(inner: Handler, name: string): unknown {
    const value = inner[name];
    if (typeof value !== "function") return value;
    const method = (value as Method).bind(inner);
    if (name === "onConnect" || name === "onRequestStart") {
      return (start: Start, ...rest: unknown[]) => {
        const abort = typeof start === "function" ? start : start.abort.bind(start);
        // A connection that is granted late goes straight back.
        if (this.#left !== undefined) abort(this.#left.reason);
        else {
          this.#abort = abort; // anew after each retry and redirect below us
          method(start, ...rest);
        }
      };
    }
    const isLast = LAST.includes(name);
    return (...args: unknown[]) => {
      if (this.#left !== undefined) return undefined;
      if (isLast) this.end();
      return method(...args);
    };
  }

  end(): void {
    this.#takeBack();
    this.#work.end(this.#state);
  }
}

/** What the two languages give to begin with. */
type Start = ((reason: unknown) => void) | { abort(reason: unknown): void };

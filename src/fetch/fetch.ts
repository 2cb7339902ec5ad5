/** `fetch` with a context, and `wrapFetch`, which creates such functions with options. */
import { handOver } from "../adapter/hand-over.ts";
import { needContext } from "../adapter/misuse.ts";
import { runStoppable } from "../adapter/stoppable.ts";
import { throwIfDone, type Context } from "../index.ts";
import { show } from "../internal.ts";
import { Exchange } from "./exchange.ts";
import { describeRequest, outgoingHeaders } from "./outgoing-headers.ts";
import {
  outgoingSettings,
  type OutgoingOptions,
  type OutgoingSettings,
} from "./outgoing-settings.ts";
import { followRedirects, type FinalResponse, type Hop } from "./redirects.ts";
import { stoppableBody } from "./upload.ts";
import { wrapResponse } from "./wrap-response.ts";

/** Any function that is called like `fetch`. */
export type AnyFetch = (input: never, init?: never) => Promise<unknown>;

/** The platform's own `fetch`, as the program's types describe it. */
export type PlatformFetch = typeof globalThis extends { fetch: infer F extends AnyFetch }
  ? F
  : AnyFetch;

/**
 * `Init` whose properties may be `undefined`. A caller may pass on properties that are `undefined`.
 * The platform takes those for missing, but types reject them under `exactOptionalPropertyTypes`.
 */
type AllowUndefined<Init> = Init extends object ? { [K in keyof Init]: Init[K] | undefined } : Init;

/** `fetch` with a context as its first parameter. */
export type ContextFetch<F extends AnyFetch = PlatformFetch> = (
  ctx: Context,
  input: Parameters<F>[0],
  init?: AllowUndefined<Parameters<F>[1]>,
) => ReturnType<F>;

/** Options of `wrapFetch`. */
export interface FetchOptions<F extends AnyFetch = PlatformFetch> extends OutgoingOptions {
  /**
   * The function that sends the requests. It must end a request when the `signal` of its `init`
   * aborts. Default: the platform's `fetch`.
   */
  fetch?: F;
}

type SendRequest = (input: unknown, init: RequestInit) => Promise<Response>;

/**
 * Returns a function like `fetch` below, with options: which servers get the deadline and the values,
 * how much time a request needs, and which function sends it. By default no server gets anything.
 *
 * The redirects of a request that carries headers from its context are followed by this package and
 * not by the platform, so that each host gets only the headers that it may get. A host to which a
 * redirect leads from HTTPS to plain HTTP gets none. That is not possible
 * for a `Request` object, and in browsers. There a redirect of such a request rejects with a TypeError.
 *
 * Throws a TypeError for an unknown option and for a wrong value.
 *
 * @example
 * const fetch = wrapFetch({ trusted: ["*.svc.internal"], values: [[TraceParent, "traceparent"]] });
 * const response = await fetch(ctx, "http://orders.svc.internal/open");
 */
export function wrapFetch<F extends AnyFetch = PlatformFetch>(
  options: FetchOptions<F> = {},
): ContextFetch<F> {
  const settings = outgoingSettings(options, "wrapFetch", ["fetch"]);
  const { fetch: ownFetch } = options;
  if (ownFetch !== undefined && typeof ownFetch !== "function") {
    throw new TypeError(
      `wrapFetch got ${show(ownFetch)} for the option fetch; pass a function such as fetch`,
    );
  }
  const send = async (
    ctx: Context,
    input: unknown,
    init?: RequestInit | null,
  ): Promise<Response> => {
    needContext(ctx, "fetch(ctx, url, init)");
    if (init !== undefined && typeof init !== "object") {
      throw new TypeError(
        `fetch(ctx, url, init) takes init in an object, got ${show(init)}; write fetch(ctx, url, { method, headers, body })`,
      );
    }
    throwIfDone(ctx);
    // The global is looked up for each request, because programs and their tests replace it.
    const sendRequest = (ownFetch ?? globalThis.fetch) as SendRequest;
    // Proxies pass a Request in place of init. A spread would lose its properties, which are not own
    // properties.
    return isRequest(init)
      ? await run(ctx, new Request(input as string, init), {}, settings, sendRequest)
      : await run(ctx, input, init ?? {}, settings, sendRequest);
  };
  return handOver(send, "fetch") as unknown as ContextFetch<F>;
}

/**
 * Sends a request with the platform's `fetch`, and stops it when `ctx` ends. Rejects with `ctx.err()`
 * if `ctx` stopped it, with the reason of `init.signal` if that stopped it, and with the platform's
 * own error in every other case. A response that arrives before the end of `ctx` is returned. The
 * request is never repeated.
 *
 * `ctx` also stops `text()`, `json()` and each read of `body`, until the body has been read to its
 * end. Until then the work `fetch` is in the ledger and `ctx` is watched. Both end earlier if the body
 * is canceled, and at once if there is none. So read the body or cancel it: an unread response keeps
 * its connection until the garbage collector finds it, or until `ctx` is done.
 *
 * The server gets nothing from `ctx`. Use `wrapFetch` to send the deadline or values.
 *
 * @example
 * const response = await fetch(ctx, "https://example.com/report");
 * const report = await response.text();
 */
export const fetch: ContextFetch = wrapFetch();

async function run(
  ctx: Context,
  input: unknown,
  init: RequestInit,
  settings: OutgoingSettings,
  sendRequest: SendRequest,
): Promise<Response> {
  const { first, redirect, signal } = readRequest(input, init, settings);
  const headersFor = ({ headers, ...hop }: Hop): [string, string][] =>
    outgoingHeaders(ctx, settings, { ...hop, header: (name) => headers?.get(name) });
  const hasContextHeaders = headersFor(first).length > 0;

  const exchange = new Exchange(ctx, describeRequest(first.method, first.url), signal);
  const stoppableInit = ({ body, ...rest }: RequestInit): RequestInit => ({
    ...rest,
    ...(body !== undefined && { body: stoppableBody(exchange, body) as typeof body }),
    signal: exchange.signal,
  });
  const sendOnce = async (hop: Hop, overrides: RequestInit): Promise<Response> => {
    const headers = new Headers(hop.headers);
    for (const [name, value] of headersFor(hop)) headers.set(name, value);
    return await sendRequest(hop.input, { ...stoppableInit(hop.init), ...overrides, headers });
  };
  const send = async (): Promise<FinalResponse> => {
    if (!hasContextHeaders) {
      const response = await sendRequest(input, stoppableInit(first.init));
      return { response, isRedirected: false };
    }
    if (redirect !== "follow") return { response: await sendOnce(first, {}), isRedirected: false };
    return await followRedirects(first, (hop) => sendOnce(hop, { redirect: "manual" }));
  };

  let sent: Promise<FinalResponse> | undefined;
  try {
    const { response, isRedirected } = await runStoppable(ctx, {
      start: () => (sent = send()),
      stop: () => {
        exchange.stop(ctx.err());
        return Promise.resolve("proven" as const); // the abort closes the connection itself
      },
      isStop: (error) => exchange.isStop(error, ctx.err()),
      // An own `fetch` that ignores its signal may still respond. That response is discarded.
      destroy: () => {
        sent?.then(({ response }) => response.body?.cancel()).catch(() => undefined);
      },
    });
    return wrapResponse(ctx, exchange, response, isRedirected);
  } catch (error) {
    exchange.end();
    throw error;
  }
}

/** Reads the arguments of a call. As on the platform, `init` overrides a Request object. */
function readRequest(
  input: unknown,
  init: RequestInit,
  settings: OutgoingSettings,
): { first: Hop; redirect: string; signal: AbortSignal | null | undefined } {
  const request = isRequest(input) ? input : undefined;
  const method = (init.method ?? request?.method ?? "GET").toUpperCase();
  const url = urlOf(request?.url ?? String(input));
  const isTrusted = url !== undefined && settings.isTrusted(url);
  const headers = isTrusted ? new Headers(init.headers ?? request?.headers) : undefined;
  return {
    // The headers may be an iterator, which can be read only once. So the copy is sent.
    first: { input, init: headers ? { ...init, headers } : init, url, method, headers },
    redirect: init.redirect ?? request?.redirect ?? "follow",
    signal: init.signal === undefined ? request?.signal : init.signal,
  };
}

function isRequest(x: unknown): x is Request {
  return typeof x === "object" && x !== null && "url" in x && "clone" in x;
}

/** Returns `undefined` for an invalid URL. The platform rejects it with its own error. */
function urlOf(text: string): URL | undefined {
  const { location } = globalThis as { location?: { href: string } };
  return URL.canParse(text, location?.href) ? new URL(text, location?.href) : undefined;
}

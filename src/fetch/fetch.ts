/** `fetch` with a context, and `wrapFetch`, which makes others like it. */
import { needContext } from "../adapter/misuse.ts";
import { runStoppable } from "../adapter/stoppable.ts";
import { throwIfDone, type Context } from "../index.ts";
import { cover } from "./body.ts";
import { Exchange } from "./exchange.ts";
import { follow, type Hop, type Sent } from "./redirects.ts";
import { settingsOf, type OutgoingOptions, type Settings } from "./settings.ts";
import { describe, outgoingHeaders } from "./outgoing-headers.ts";
import { upload } from "./upload.ts";

/** Anything with the face of `fetch`. */
export type AnyFetch = (input: never, init?: never) => Promise<unknown>;

/** The platform's own `fetch`, as the program's types describe it. */
export type PlatformFetch = typeof globalThis extends { fetch: infer F extends AnyFetch }
  ? F
  : AnyFetch;

/**
 * What others hand on may be written out as `undefined`, which the platform takes for missing, and
 * types refuse under `exactOptionalPropertyTypes`.
 */
type Handed<Init> = Init extends object ? { [K in keyof Init]: Init[K] | undefined } : Init;

/** `fetch` with a context as its first parameter. */
export type ContextFetch<F extends AnyFetch = PlatformFetch> = (
  ctx: Context,
  input: Parameters<F>[0],
  init?: Handed<Parameters<F>[1]>,
) => ReturnType<F>;

export interface FetchOptions<F extends AnyFetch = PlatformFetch> extends OutgoingOptions {
  /** Used in place of the platform's. It must heed its `signal`. */
  fetch?: F;
}

type Platform = (input: unknown, init: RequestInit) => Promise<Response>;

/**
 * A `fetch` of one's own: who is told the deadline and which values cross (by default nobody and
 * none), what is too little time, which `fetch` does the work. Else as `fetch` below.
 *
 * Where a request carries headers of ours, redirects are followed here and not by the platform, so
 * that each host is told only what it may be told. Those of a `Request` object, and all of them in
 * browsers, then reject with a TypeError.
 */
export function wrapFetch<F extends AnyFetch = PlatformFetch>(
  options: FetchOptions<F> = {},
): ContextFetch<F> {
  const settings = settingsOf(options);
  const { fetch: given } = options;
  if (given !== undefined && typeof given !== "function") {
    throw new TypeError(
      `the option fetch is a function such as fetch itself, got ${String(given)}`,
    );
  }
  const send = async (
    ctx: Context,
    input: unknown,
    init?: RequestInit | null,
  ): Promise<Response> => {
    needContext(ctx, "fetch(ctx, url, init)");
    throwIfDone(ctx);
    // Looked up when it is used: programs and their tests replace it.
    const platform = (given ?? globalThis.fetch) as Platform;
    // A Request in place of init, as proxies write it: its properties are not its own, so they would
    // be lost when it is spread.
    return isRequest(init)
      ? await run(ctx, new Request(input as string, init), {}, settings, platform)
      : await run(ctx, input, init ?? {}, settings, platform);
  };
  return send as unknown as ContextFetch<F>;
}

/**
 * The platform's `fetch`, ended by `ctx`. It rejects with `ctx.err()` if that ended it, with the
 * reason of `init.signal` if that did, and with the platform's own error, untouched, in every other
 * case. A response that was there first is returned. It never tries again.
 *
 * The body belongs to it: `ctx` ends `text()`, `json()` and each read of `body` as well, until its
 * end has been read. The work `fetch` is in the ledger, and `ctx` is watched, until then, or until
 * the body is canceled, or at once if there is none. So read the body or cancel it; of a response
 * that is dropped unread the connection is held until the garbage collector finds it, as always,
 * or until `ctx` is done.
 *
 * Nothing of `ctx` is sent to anybody; for that there is `wrapFetch`.
 */
export const fetch: ContextFetch = wrapFetch();

async function run(
  ctx: Context,
  input: unknown,
  init: RequestInit,
  settings: Settings,
  platform: Platform,
): Promise<Response> {
  const { first, redirect, signal } = read(input, init, settings);
  const headersFor = ({ url, method, headers }: Hop): [string, string][] =>
    outgoingHeaders(ctx, settings, { url, method, header: (name) => headers?.get(name) });
  const isTold = headersFor(first).length > 0;

  const exchange = new Exchange(ctx, describe(first.method, first.url), signal);
  const initOf = ({ body, ...rest }: RequestInit): RequestInit => ({
    ...rest,
    ...(body !== undefined && { body: upload(exchange, body) as typeof body }),
    signal: exchange.signal,
  });
  const sendOnce = async (hop: Hop, more: RequestInit): Promise<Response> => {
    const headers = new Headers(hop.headers);
    for (const [name, value] of headersFor(hop)) headers.set(name, value);
    return await platform(hop.input, { ...initOf(hop.init), ...more, headers });
  };
  const send = async (): Promise<Sent> => {
    if (!isTold) {
      const response = await platform(input, initOf(first.init));
      return { response, redirected: false };
    }
    if (redirect !== "follow") return { response: await sendOnce(first, {}), redirected: false };
    return await follow(first, (hop) => sendOnce(hop, { redirect: "manual" }));
  };

  let sent: Promise<Sent> | undefined;
  try {
    const { response, redirected } = await runStoppable(ctx, {
      start: () => (sent = send()),
      stop: () => {
        exchange.stop(ctx.err());
        return Promise.resolve();
      },
      isStop: (error) => exchange.isStop(error, ctx.err()),
      // A `fetch` that does not heed its signal: what it brings in the end is for nobody.
      destroy: () => {
        sent?.then(({ response }) => response.body?.cancel()).catch(() => undefined);
      },
    });
    return cover(ctx, exchange, response, redirected);
  } catch (error) {
    exchange.end();
    throw error;
  }
}

/** What is asked for: `init` counts before the properties of a Request object, as in the platform. */
function read(
  input: unknown,
  init: RequestInit,
  settings: Settings,
): { first: Hop; redirect: string; signal: AbortSignal | null | undefined } {
  const request = isRequest(input) ? input : undefined;
  const method = (init.method ?? request?.method ?? "GET").toUpperCase();
  const url = urlOf(request?.url ?? String(input));
  const trusted = url !== undefined && settings.trusts(url);
  const headers = trusted ? new Headers(init.headers ?? request?.headers) : undefined;
  return {
    // What we have read is what is sent: headers may be an iterator, which can be read but once.
    first: { input, init: headers ? { ...init, headers } : init, url, method, headers },
    redirect: init.redirect ?? request?.redirect ?? "follow",
    signal: init.signal === undefined ? request?.signal : init.signal,
  };
}

function isRequest(x: unknown): x is Request {
  return typeof x === "object" && x !== null && "url" in x && "clone" in x;
}

/** `undefined` for what is none: the platform will say so in its own words. */
function urlOf(text: string): URL | undefined {
  const { location } = globalThis as { location?: { href: string } };
  return URL.canParse(text, location?.href) ? new URL(text, location?.href) : undefined;
}

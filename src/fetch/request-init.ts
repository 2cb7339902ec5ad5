/** For every other client that takes a signal and headers. */
import { needContext } from "../adapter/misuse.ts";
import type { Context } from "../index.ts";
import { settingsOf, type OutgoingOptions } from "./settings.ts";
import { outgoingHeaders } from "./outgoing-headers.ts";

export interface RequestInitOptions extends OutgoingOptions {
  /** The request's own headers. They are among the result. */
  headers?: Readonly<Record<string, string>>;
}

/**
 * What a client such as `http.request`, axios or got needs of a context for one request to `url`:
 * its signal, and the headers, to which those that `url`'s host may be told are added. Throws
 * `ctx.err()` if `ctx` is done, and `BudgetTooSmallError` if too little is left.
 *
 * Reading the signal watches `ctx` until it is done. A client that follows redirects takes the
 * headers along: forbid it that, or trust nobody.
 */
export function requestInit(
  ctx: Context,
  url: string | URL,
  options: RequestInitOptions = {},
): { signal: AbortSignal; headers: Record<string, string> } {
  needContext(ctx, "requestInit(ctx, url, options)");
  const headers = { ...options.headers };
  const names = new Map(Object.keys(headers).map((name) => [name.toLowerCase(), name]));
  const told = outgoingHeaders(ctx, settingsOf(options), {
    url: new URL(url),
    method: "request",
    header: (name) => headers[names.get(name) ?? ""],
  });
  for (const [name, value] of told) headers[names.get(name) ?? name] = value;
  return { signal: ctx.signal, headers };
}

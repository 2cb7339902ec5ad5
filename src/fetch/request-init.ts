/** `requestInit`, for every HTTP client that takes a signal and headers. */
import { needContext } from "../adapter/misuse.ts";
import type { Context } from "../index.ts";
import { show } from "../internal.ts";
import { outgoingHeaders } from "./outgoing-headers.ts";
import { outgoingSettings, type OutgoingOptions } from "./outgoing-settings.ts";

/** Options of `requestInit`. */
export interface RequestInitOptions extends OutgoingOptions {
  /** The request's own headers. The result contains them. */
  headers?: Readonly<Record<string, string>>;
}

/**
 * Returns the signal and the headers for one request to `url`, for a client such as `http.request`,
 * axios or got. If the host of `url` is trusted, the headers contain the deadline and the values.
 *
 * Reading the signal watches `ctx` until it is done. A client that follows redirects sends the
 * headers to every host: let it follow none if a host is trusted.
 *
 * Throws `ctx.err()` if `ctx` is done, `BudgetTooSmallError` if too little time is left, and a
 * TypeError for a URL that is not absolute and for a wrong option.
 *
 * @example
 * const init = requestInit(ctx, url, { trusted: ["api.internal"] });
 * const request = http.get(url, init, (response) => …);
 */
export function requestInit(
  ctx: Context,
  url: string | URL,
  options: RequestInitOptions = {},
): { signal: AbortSignal; headers: Record<string, string> } {
  needContext(ctx, "requestInit(ctx, url, options)");
  const settings = outgoingSettings(options, "requestInit", ["headers"]);
  if (!URL.canParse(String(url))) {
    throw new TypeError("requestInit needs an absolute URL, such as https://example.com/report");
  }
  const headers = { ...checkHeaders(options.headers) };
  const names = new Map(Object.keys(headers).map((name) => [name.toLowerCase(), name]));
  const added = outgoingHeaders(ctx, settings, {
    url: new URL(url),
    method: "request",
    header: (name) => headers[names.get(name) ?? ""],
  });
  for (const [name, value] of added) headers[names.get(name) ?? name] = value;
  return { signal: ctx.signal, headers };
}

/** A `Headers` object and a list of pairs have no properties to copy. */
function checkHeaders(headers: RequestInitOptions["headers"] = {}): Record<string, string> {
  if (Object(headers) === headers && !(Symbol.iterator in headers)) return headers;
  throw new TypeError(
    `requestInit got ${show(headers)} for the option headers; pass an object, as in headers: { accept: "*/*" }, or Object.fromEntries(headers)`,
  );
}

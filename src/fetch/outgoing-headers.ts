/** The headers that a request gets from its context, and the check whether its time suffices. */
import { remaining, throwIfDone, type Context } from "../index.ts";
import { BudgetTooSmallError } from "../wire/budget-too-small-error.ts";
import { formatDeadline } from "../wire/deadline.ts";
import type { OutgoingSettings } from "./outgoing-settings.ts";

/** What the headers of a request depend on. */
export interface OutgoingRequest {
  /** `undefined` if it is unknown. Then the server is not trusted. */
  readonly url: URL | undefined;
  readonly method: string;
  /** Whether a redirect led here from HTTPS to plain HTTP. Then the server is not trusted. */
  readonly isDowngraded?: boolean;
  /** Returns a header that the caller has set. `name` is in lower case. */
  header(name: string): string | null | undefined;
}

/** Describes a request for people, without the query of its URL, which may contain secrets. */
export function describeRequest(method: string, url: URL | undefined): string {
  if (url === undefined) return method;
  const isWeb = url.protocol === "http:" || url.protocol === "https:";
  return `${method} ${isWeb ? url.origin + url.pathname : url.protocol}`;
}

/**
 * Returns the headers to set, with names in lower case. Throws `ctx.err()` if `ctx` is done, and
 * `BudgetTooSmallError` if too little time is left.
 */
export function outgoingHeaders(
  ctx: Context,
  settings: OutgoingSettings,
  request: OutgoingRequest,
): [string, string][] {
  const { deadlineHeader, grammar, margin, minimum } = settings;
  const left = remaining(ctx);
  throwIfDone(ctx);
  const what = describeRequest(request.method, request.url);
  const { url, isDowngraded } = request;
  if (url === undefined || isDowngraded === true || !settings.isTrusted(url)) {
    if (left < minimum) throw new BudgetTooSmallError(left, minimum, what);
    return [];
  }

  const headers: [string, string][] = [];
  // The caller's own deadline is only ever shortened. If it is malformed, it is sent as it is.
  const own = request.header(deadlineHeader) ?? undefined;
  const sent = formatDeadline(ctx, { grammar, margin, minimum, own, what });
  if (sent !== undefined && sent.text !== own) headers.push([deadlineHeader, sent.text]);
  for (const [key, name] of settings.values) {
    const value = ctx.value(key);
    if (value !== undefined && (request.header(name) ?? undefined) === undefined) {
      checkValue(value, key.name, name);
      headers.push([name, value]);
    }
  }
  return headers;
}

/**
 * Throws a TypeError if a header cannot hold `value`. The platform's own error would quote it, and
 * frameworks may send the message of an error.
 */
function checkValue(value: string, key: string, header: string): void {
  if (/^[\t\x20-\x7e\x80-\xff]*$/.test(value)) return;
  const cause = new Error(`the value of the key ${key} is for the header ${header}`);
  throw new TypeError(
    "a value of the context has a character that no header can hold; encode it, for example with encodeURIComponent",
    { cause },
  );
}

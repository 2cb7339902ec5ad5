/** The headers that a request gets from its context, and the check whether its time suffices. */
import { DeadlineExceededError, remaining, type Context } from "../index.ts";
import type { OutgoingSettings } from "./outgoing-settings.ts";

/**
 * A request was not sent, because less time was left than it needs. The error counts as an exceeded
 * deadline (`isDeadlineExceeded`), although the context may be live for some more milliseconds.
 */
export class BudgetTooSmallError extends DeadlineExceededError {
  /** Milliseconds that were left. */
  readonly left: number;
  /** Milliseconds that the request needs: `minimum` or, for a trusted server, at least `margin` + 1. */
  readonly needed: number;

  constructor(left: number, needed: number, what: string) {
    super();
    this.left = left;
    this.needed = needed;
    Object.defineProperty(this, "message", {
      value: `context deadline exceeded: ${Math.floor(left)} ms left for ${what}, which needs ${needed} ms; it was not sent`,
      configurable: true,
      writable: true,
    });
  }
}

/** What the headers of a request depend on. */
export interface OutgoingRequest {
  /** `undefined` if it is unknown. Then the server is not trusted. */
  readonly url: URL | undefined;
  readonly method: string;
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
  const { deadlineHeader, format, margin, minimum } = settings;
  const left = remaining(ctx);
  const err = ctx.err();
  if (err !== undefined) throw err;
  const isTrusted = request.url !== undefined && settings.isTrusted(request.url);
  // A server that reads "0 ms" answers at once that the time is up. So the request is not sent.
  const needed = isTrusted && left < Infinity ? Math.max(minimum, margin + 1) : minimum;
  if (left < needed) {
    throw new BudgetTooSmallError(left, needed, describeRequest(request.method, request.url));
  }
  if (!isTrusted) return [];

  const headers: [string, string][] = [];
  if (left < Infinity) {
    const own = request.header(deadlineHeader) ?? undefined;
    // The caller's own deadline is only ever shortened. If it is malformed, it is sent as it is.
    if (own === undefined || (format.read(own) ?? 0) > left - margin) {
      headers.push([deadlineHeader, format.write(left - margin)]);
    }
  }
  for (const [key, name] of settings.values) {
    const value = ctx.value(key);
    if (value !== undefined && (request.header(name) ?? undefined) === undefined) {
      headers.push([name, value]);
    }
  }
  return headers;
}

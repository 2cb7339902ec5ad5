/** The headers that one request gets of its context, and whether it is worth sending at all. */
import { DeadlineExceededError, remaining, type Context } from "../index.ts";
import type { Settings } from "./settings.ts";

/**
 * There was less time left than the request needs, so it was not sent. It counts as an exceeded
 * deadline (`isDeadlineExceeded`), though the context may live for some milliseconds yet.
 */
export class BudgetTooSmallError extends DeadlineExceededError {
  /** Milliseconds that were left. */
  readonly left: number;
  /** Milliseconds that it takes at least: `minimum`, or `margin` and one to tell the server. */
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

/** One request, as far as is told of it. */
export interface Outgoing {
  /** `undefined` where it cannot be known: then nobody is trusted. */
  readonly url: URL | undefined;
  readonly method: string;
  /** The caller's own header of a name in lower case. */
  header(name: string): string | null | undefined;
}

/** For people: without the query, which may hold secrets. */
export function describe(method: string, url: URL | undefined): string {
  if (url === undefined) return method;
  const isWeb = url.protocol === "http:" || url.protocol === "https:";
  return `${method} ${isWeb ? url.origin + url.pathname : url.protocol}`;
}

/**
 * The headers to set, names in lower case. Throws `ctx.err()` if `ctx` is done, and
 * `BudgetTooSmallError` if too little is left.
 */
export function outgoingHeaders(
  ctx: Context,
  settings: Settings,
  out: Outgoing,
): [string, string][] {
  const { header, form, margin, minimum } = settings;
  const left = remaining(ctx);
  const err = ctx.err();
  if (err !== undefined) throw err;
  const trusted = out.url !== undefined && settings.trusts(out.url);
  // A server that is told "0 ms" answers at once that the time is up: we can say so ourselves.
  const needed = trusted && left < Infinity ? Math.max(minimum, margin + 1) : minimum;
  if (left < needed) throw new BudgetTooSmallError(left, needed, describe(out.method, out.url));
  if (!trusted) return [];

  const told: [string, string][] = [];
  if (left < Infinity) {
    const own = out.header(header) ?? undefined;
    // The caller's own may only be shortened. One that we cannot read is left to who can.
    if (own === undefined || (form.read(own) ?? 0) > left - margin) {
      told.push([header, form.write(left - margin)]);
    }
  }
  for (const [key, name] of settings.values) {
    const value = ctx.value(key);
    if (value !== undefined && (out.header(name) ?? undefined) === undefined) {
      told.push([name, value]);
    }
  }
  return told;
}

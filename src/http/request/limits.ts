/** How long a request may take: the server's own limit, and the caller's. Runs on every platform. */
import {
  background,
  remaining,
  withCancel,
  withTimeout,
  type CancelableContext,
  type Context,
} from "../../index.ts";
import { needOptions, show } from "../../adapter/misuse.ts";
import { LocalTimeout, MalformedDeadline, RemoteDeadline } from "./causes.ts";
import {
  checkDeadline,
  readDeadline,
  type RemoteDeadlineOptions,
  type WithHeaders,
} from "./deadline.ts";

export interface RequestLimits<Req> {
  /** The server's own limit in milliseconds; `LocalTimeout` is the cause when it passes. Default: none. */
  timeout?: number;
  /**
   * Whether the caller may say how long it will wait; `RemoteDeadline` is the cause when that
   * passes. It can only shorten `timeout`. `true` means the header `x-request-timeout-ms`, from
   * anybody. Default: no header is heeded, because one that anybody may send can put a 504 into a
   * cache in front of the server, and can end work that several requests share.
   */
  deadline?: boolean | RemoteDeadlineOptions<Req>;
}

const localTimeout = new LocalTimeout();
const remoteDeadline = new RemoteDeadline();
const malformedDeadline = new MalformedDeadline();

/**
 * Refuses what makes no sense when the application is built, not at its first request. `call` is how
 * the caller should have written it, as "contexts(options)".
 */
export function checkLimits(
  options: RequestLimits<never> & { readonly parent?: Context | undefined },
  call: string,
): void {
  needOptions(options, call);
  const { timeout, deadline, parent } = options;
  if (timeout !== undefined && typeof timeout !== "number") {
    throw new TypeError(`timeout is a number of milliseconds, got ${show(timeout)}`);
  }
  if (timeout !== undefined) withTimeout(background(), timeout);
  if (parent !== undefined && typeof (parent as Partial<Context> | null)?.err !== "function") {
    throw new TypeError(
      `parent is a Context, got ${show(parent)}; withSignal(background(), signal) makes one of an AbortSignal`,
    );
  }
  checkDeadline(deadline);
}

/** A child of `ctx` that knows the limits, or `undefined` if there are none. */
export function withLimits(
  ctx: Context,
  req: WithHeaders,
  limits: RequestLimits<never>,
): CancelableContext | undefined {
  const { timeout, deadline } = limits;
  if (deadline !== undefined && deadline !== false) {
    const theirs = readDeadline(req, deadline === true ? {} : deadline);
    if (theirs === "malformed") {
      const refused = withCancel(ctx);
      refused.cancel(malformedDeadline);
      return refused;
    }
    if (theirs !== undefined && (timeout === undefined || theirs < timeout)) {
      return withTimeout(ctx, theirs, { cause: remoteDeadline });
    }
  }
  return timeout === undefined ? undefined : withTimeout(ctx, timeout, { cause: localTimeout });
}

/**
 * Returns a child of `ctx` whose deadline is that of `limited`, a context that `limits` have bounded
 * before, or `ctx` if `limited` has no deadline.
 */
export function withDeadlineOf(
  limited: Context,
  ctx: Context,
  req: WithHeaders,
  { timeout = Infinity, deadline }: RequestLimits<never>,
): Context {
  const ms = remaining(limited);
  if (ms === Infinity) return ctx;
  const remote = deadline ? readDeadline(req, deadline === true ? {} : deadline) : undefined;
  const isRemote = typeof remote === "number" && remote < timeout;
  return withTimeout(ctx, ms, { cause: isRemote ? remoteDeadline : localTimeout });
}

/** How long a request may take: the server's own limit, and the caller's. Runs on every platform. */
import {
  remaining,
  withCancel,
  withTimeout,
  type CancelableContext,
  type Context,
} from "../../index.ts";
import { checkOptions, show } from "../../internal.ts";
import { checkContextOption, checkIsOptions } from "../checks.ts";
import { LocalTimeout, MalformedDeadline, RemoteDeadline } from "./causes.ts";
import {
  checkDeadline,
  readDeadline,
  type RemoteDeadlineOptions,
  type WithHeaders,
} from "./deadline.ts";

export interface RequestLimits<Req> {
  /**
   * The server's own limit, in milliseconds and more than 0. When it passes, the context ends with
   * the cause `LocalTimeout`. Default: no limit.
   */
  timeout?: number;
  /**
   * Whether the caller may say how long it will wait. When that time passes, the context ends with
   * the cause `RemoteDeadline`. The caller can only shorten `timeout`. `true` means the header
   * `x-request-timeout-ms`, from every caller.
   *
   * Default: no header counts. A header that any client may send can put a 504 into a cache in front
   * of the server, and can end work that several requests share.
   */
  deadline?: boolean | RemoteDeadlineOptions<Req>;
}

/** The options that every integration for HTTP has. */
const KNOWN_OPTIONS = ["timeout", "deadline", "parent"];

const localTimeout = new LocalTimeout();
const remoteDeadline = new RemoteDeadline();
const malformedDeadline = new MalformedDeadline();

/**
 * Throws a TypeError or a RangeError if the options make no sense. Integrations call this when the
 * application is built, not when its first request arrives.
 *
 * `call` is how to write the call, such as "contexts(options)". `others` are the options that are
 * known beside `timeout`, `deadline` and `parent`.
 */
export function checkLimits(
  options: RequestLimits<never> & { readonly parent?: Context | undefined },
  call: string,
  others: readonly string[] = [],
): void {
  checkIsOptions(options, call);
  checkOptions(options, call, [...KNOWN_OPTIONS, ...others]);
  checkTimeout(options.timeout);
  checkContextOption(options.parent, "parent");
  checkDeadline(options.deadline, call);
}

function checkTimeout(timeout: unknown): void {
  if (timeout === undefined || (typeof timeout === "number" && timeout > 0)) return;
  const Refusal = typeof timeout === "number" ? RangeError : TypeError;
  throw new Refusal(
    `timeout is a number of milliseconds, more than 0, got ${show(timeout)}; leave it out, or pass Infinity, for no limit`,
  );
}

/** Returns a child of `ctx` that the limits end, or `undefined` if no limit applies. */
export function withLimits(
  ctx: Context,
  req: WithHeaders,
  limits: RequestLimits<never>,
): CancelableContext | undefined {
  const { timeout, deadline } = limits;
  if (deadline !== undefined && deadline !== false) {
    const remote = readDeadline(req, deadline === true ? {} : deadline);
    if (remote === "malformed") {
      const refused = withCancel(ctx);
      refused.cancel(malformedDeadline);
      return refused;
    }
    if (remote !== undefined && (timeout === undefined || remote < timeout)) {
      return withTimeout(ctx, remote, { cause: remoteDeadline });
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

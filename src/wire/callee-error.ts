/** What a call rejects with after its callee has answered with an error. */
import { DeadlineExceededError, isContextError, isDeadlineExceeded } from "../index.ts";
import type { Context } from "../index.ts";
import { checkContext, now } from "../internal.ts";
import type { SentDeadline } from "./deadline.ts";
import { toWire, type WireError } from "./error.ts";

/**
 * The cause of a `DeadlineExceededError` if the caller's deadline, as it was sent to a callee, passed
 * there first. The caller's own context may be live for some more milliseconds.
 */
export class CalleeDeadline extends Error {
  readonly code = "ERR_CALLEE_DEADLINE";
  /** The error that came from the callee. */
  declare readonly cause: Error;

  constructor(received: Error) {
    super("the caller's deadline has passed at the callee", { cause: received });
    this.name = "CalleeDeadline";
    this.stack = `${this.name}: ${this.message}`;
  }
}

/**
 * The callee's context ended for a reason of the callee, such as its own time limit or its shutdown,
 * while the caller's context was live. It is a failure like any other, and no context error: neither
 * `isCanceled` nor `isDeadlineExceeded` is true for it, because the caller may still have time.
 */
export class CalleeEndedError extends Error {
  readonly code = "ERR_CALLEE_ENDED";
  /** The callee's error as plain data, because a context error in `cause` would count as one of the caller. */
  declare readonly cause: WireError;

  constructor(received: Error) {
    const cause = toWire(received);
    super(`the callee ended its work: ${cause.message}`, { cause });
    this.name = "CalleeEndedError";
  }
}

/** How much faster than the caller's the callee's clock may run. Two clocks that are slewed by NTP differ by less. */
const DRIFT = 1e-3;
/** How early a callee's timer may fire, in milliseconds. */
const EARLY = 1;

/**
 * Returns the error with which a call rejects after its callee has answered with `received`, the
 * result of `parseError` or `fromWire`. `sent` is what `formatDeadline` returned for that call.
 *
 * The deadline of a callee is that of its caller, less the margin and the rounding. So a callee
 * answers that its deadline has passed while the caller's context is still live. The result is:
 *
 * | the callee's error | the result |
 * |---|---|
 * | a context error, and `ctx` is done | `ctx.err()` |
 * | an exceeded deadline, after the deadline that was sent | a `DeadlineExceededError` whose cause is a `CalleeDeadline` |
 * | any other context error: the callee ended for a reason of its own | a `CalleeEndedError`, which is no context error |
 * | any other error | `received` |
 *
 * The caller's clock decides whether the sent deadline has passed, and not what the callee says. A
 * thousandth of the deadline and 1 ms are allowed for the difference of the two clocks.
 *
 * The `DeadlineExceededError` is not `ctx.err()` itself. An integration that promises `ctx.err()` waits
 * for the end of `ctx` instead, which is at most the margin away.
 *
 * @example
 * const sent = formatDeadline(ctx);
 * const reply = await send(subject, data, sent?.text);
 * const text = reply.headers.get(ERROR_HEADER);
 * if (text) throw calleeError(ctx, parseError(text), sent);
 */
export function calleeError(ctx: Context, received: Error, sent: SentDeadline | undefined): Error {
  checkContext(ctx, "calleeError");
  if (!isContextError(received)) return received;
  const err = ctx.err();
  if (err !== undefined) return err;
  if (isDeadlineExceeded(received) && sent !== undefined && hasPassed(sent)) {
    return new DeadlineExceededError({ cause: new CalleeDeadline(received) });
  }
  return new CalleeEndedError(received);
}

function hasPassed({ from, ms }: SentDeadline): boolean {
  return now() - from >= ms * (1 - DRIFT) - EARLY;
}

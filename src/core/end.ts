/** What is known of one cancellation. One record is shared by everything that ended with it. */
import {
  buildError,
  CanceledError,
  DeadlineExceededError,
  ENDED_AT,
  findContextError,
  isDeadlineExceeded,
  type ContextError,
} from "./errors.ts";

/** `finished` is a cancellation too, but of work that was over: never counted as one. */
export type EndKind = "canceled" | "deadline" | "finished";

/** In place of a time, where nobody ever depended on it: reading the clock is most of a cancel's cost. */
export const UNTIMED = -1;

let recordStacks = false;

/** Development mode: whether errors get the stack of the canceler. */
export function recordCancelers(on: boolean): void {
  recordStacks = on;
}

export class End {
  readonly kind: EndKind;
  readonly cause: unknown;
  /** Monotonic milliseconds, or `UNTIMED`. */
  readonly at: number;
  #error: ContextError | undefined;

  constructor(kind: EndKind, cause: unknown, at: number, error?: ContextError) {
    this.kind = kind;
    this.cause = cause;
    this.at = at;
    this.#error = error;
    if (recordStacks && error === undefined) {
      const { stack } = new Error("canceled here");
      this.error.stack = (stack ?? "").replace("Error: canceled here", String(this.error));
    }
  }

  /** Built when first asked for: most cancellations are never looked at. */
  get error(): ContextError {
    return (this.#error ??= buildError(
      this.kind === "deadline" ? DeadlineExceededError : CanceledError,
      this.cause,
      this.at,
    ));
  }
}

let lastFinished: End | undefined;

/**
 * The record of an end on whose time nobody depends. Work that is finished has mostly the same
 * cause as the work before it, and then the same record: all but few requests end like that, and
 * an error for each would be most of what aborting their signals costs.
 */
export function untimed(kind: EndKind, cause: unknown): End {
  if (kind !== "finished" || recordStacks) return new End(kind, cause, UNTIMED);
  if (lastFinished?.cause !== cause) lastFinished = undefined;
  return (lastFinished ??= new End(kind, cause, UNTIMED));
}

/**
 * The record for what somebody else says ended: the reason of a signal, the `err()` of a foreign
 * context. A context error is passed on as it is and brings its own time; anything else becomes
 * the cause of ours, and a platform TimeoutError means that a deadline passed.
 */
export function endFrom(reason: unknown, noticedAt: number): End {
  const found = findContextError(reason);
  const timedOut = found ? isDeadlineExceeded(found) : isPlatformTimeout(reason);
  const kind = timedOut ? "deadline" : "canceled";
  if (found === undefined || found !== reason) return new End(kind, reason, noticedAt);
  return new End(kind, found.cause, Math.min(found[ENDED_AT] ?? noticedAt, noticedAt), found);
}

function isPlatformTimeout(reason: unknown): boolean {
  try {
    return (reason as { name?: unknown } | null | undefined)?.name === "TimeoutError";
  } catch {
    return false;
  }
}

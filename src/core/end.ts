/** The record of one end. All scopes that ended together share one record. */
import {
  buildError,
  CanceledError,
  DeadlineExceededError,
  ENDED_AT,
  findContextError,
  isDeadlineExceeded,
  type ContextError,
} from "./errors.ts";
import { readProperty } from "./foreign-value.ts";

/**
 * How a context ended. "finished" is a cancel after the work had finished, and does not count as a
 * cancellation.
 */
export type EndKind = "canceled" | "deadline" | "finished";

/**
 * The time of an end whose time nothing depends on. Reading the clock is most of the cost of a
 * cancellation, so such an end does not read it.
 */
export const UNTIMED = -1;

let recordStacks = false;

/** Sets whether errors get the stack of the code that canceled. Development mode turns it on. */
export function recordCancelers(on: boolean): void {
  recordStacks = on;
}

/** Why and when a scope ended. */
export class End {
  readonly kind: EndKind;
  readonly cause: unknown;
  /** The monotonic time in milliseconds, or `UNTIMED`. */
  readonly at: number;
  #error: ContextError | undefined;

  constructor(kind: EndKind, cause: unknown, at: number, error?: ContextError) {
    this.kind = kind;
    this.cause = cause;
    this.at = at;
    this.#error = error;
    if (recordStacks && error === undefined) {
      this.error.stack = (new Error().stack ?? "").replace(/^Error:? ?/, String(this.error));
    }
  }

  /**
   * The error of the contexts that ended. It is built on the first read, because most are never
   * read.
   */
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
 * Returns a record of an end whose time nothing depends on. Consecutive ends of the kind "finished"
 * with the same cause share one record. Almost every request ends like that, and an error for each
 * would be most of the cost of aborting its signal.
 */
export function untimed(kind: EndKind, cause: unknown): End {
  if (kind !== "finished" || recordStacks) return new End(kind, cause, UNTIMED);
  if (lastFinished?.cause !== cause) lastFinished = undefined;
  return (lastFinished ??= new End(kind, cause, UNTIMED));
}

/**
 * Returns a record for an end that came from outside: the reason of a signal, or the `err()` of a
 * foreign context. A context error remains the error and keeps its own time. Any other value
 * becomes the cause of a new error. The platform's TimeoutError means that a deadline passed.
 */
export function endFrom(reason: unknown, noticedAt: number): End {
  const found = findContextError(reason);
  const timedOut = found ? isDeadlineExceeded(found) : isPlatformTimeout(reason);
  const kind = timedOut ? "deadline" : "canceled";
  if (found === undefined || found !== reason) return new End(kind, reason, noticedAt);
  const endedAt = readProperty(found, ENDED_AT);
  const at = typeof endedAt === "number" && endedAt < noticedAt ? endedAt : noticedAt;
  return new End(kind, readProperty(found, "cause"), at, found);
}

function isPlatformTimeout(reason: unknown): boolean {
  return readProperty(reason, "name") === "TimeoutError";
}

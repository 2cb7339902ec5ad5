/** The error of a request for which too little time is left. */
import { DeadlineExceededError } from "../index.ts";

/**
 * A request was not sent, because less time was left than it needs. The error counts as an exceeded
 * deadline (`isDeadlineExceeded`), although the context may be live for some more milliseconds.
 */
export class BudgetTooSmallError extends DeadlineExceededError {
  /** Milliseconds that were left. */
  readonly left: number;
  /** Milliseconds that the request needs: `minimum` or, if a deadline is sent, at least `margin` + 1. */
  readonly needed: number;
  /**
   * The request, for logs, such as `"GET http://orders.internal/open"`. It is not part of the message,
   * because frameworks may send that.
   */
  readonly what: string;

  constructor(left: number, needed: number, what: string) {
    super();
    this.left = left;
    this.needed = needed;
    this.what = what;
    Object.defineProperty(this, "message", {
      value: "context deadline exceeded: too little time is left, and the request was not sent",
      configurable: true,
      writable: true,
    });
  }
}

import { DeadlineExceededError } from "../index.ts";
import type { Ledger } from "../internal.ts";
import { describeAtTimeout } from "./describe-work.ts";
import { developmentHint, list } from "./failure.ts";

/**
 * Returns the error with which the context of a test ends shortly before the runner's timeout. It names
 * the work that is running, because the error of a stopped call does not say which call that is.
 */
export function timeoutError(timeout: number, margin: number, running: Ledger["running"]): Error {
  const cause = new Error(
    `the test has almost used up its timeout of ${timeout} ms (its context ends ${margin} ms before)`,
  );
  cause.name = "TimeoutError"; // with this name, the end of a signal is that of a deadline
  cause.stack = `${cause.name}: ${cause.message}`;
  const error = new DeadlineExceededError({ cause });
  const work =
    running.length === 0
      ? "no recorded work was running"
      : `this was running:\n${list(running.map(describeAtTimeout))}${developmentHint()}`;
  error.message = `${error.message}; ${work}`;
  error.stack = String(error); // with the frames that lead to the work
  return error;
}

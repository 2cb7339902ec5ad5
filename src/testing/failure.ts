/** The errors with which the test kit fails a test. */
import { isDevelopment, userStack } from "../internal.ts";

/**
 * Returns an error that fails a test. Its stack leads to the call in the test that `site` was recorded
 * in, because the failure is found behind an `await`.
 */
export function failure(message: string, site: Error, cause?: unknown): Error {
  const error = new Error(message, cause === undefined ? undefined : { cause });
  // Not named AssertionError: Jest would print a comparison that it does not have.
  error.stack = [String(error), userStack(site)].filter(Boolean).join("\n");
  return error;
}

/** One line of a failure, and the call that is to blame, if that is known. */
export interface Culprit {
  readonly text: string;
  readonly site?: Error | undefined;
}

/** Returns the lines of a list, each with the stack that leads to its culprit. */
export function list(culprits: readonly Culprit[]): string {
  return culprits
    .map(({ text, site }) => [`- ${text}`, site && userStack(site)].filter(Boolean).join("\n"))
    .join("\n");
}

/** Returns the advice to turn development mode on, if it is off and would have named the culprits. */
export function developmentHint(): string {
  return isDevelopment()
    ? ""
    : "\nTo see the code that started it, run the tests with EIGHTYSIX_DEV=1.";
}

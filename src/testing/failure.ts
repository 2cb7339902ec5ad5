/** The errors with which the test kit fails a test. */
import { isDevelopment, isUserFrame, userStack } from "../internal.ts";

/**
 * Returns an error that fails a test. Its stack leads to the call in the test that `site` was recorded
 * in, because the failure is found behind an `await`.
 */
export function failure(message: string, site: Error, cause?: unknown): Error {
  const error = new Error(message, cause === undefined ? undefined : { cause });
  // Not named AssertionError: Jest would print a comparison that it does not have.
  // An empty line keeps the frames of the test apart from those of the last culprit in the message.
  const separator = /\n\s+at /.test(message) ? "\n\n" : "\n";
  error.stack = [String(error), userStack(site)].filter(Boolean).join(separator);
  return error;
}

/** The most frames of a stack that a failure shows. */
const MOST_FRAMES = 12;

/** The functions of the test kit that run the program. What lies below them is the test runner. */
const RUNS_THE_PROGRAM = /\b(?:Recorder\.run|CanceledRun\.(?:#settle|run))\b/;

/** Returns the frames of the program, or `undefined` if the stack does not lead to it. */
export function programStack(site: Error | undefined): string | undefined {
  const frames = ((site && userStack(site)) ?? "").split("\n");
  const end = frames.findIndex((frame) => RUNS_THE_PROGRAM.test(frame));
  const shown = (end < 0 ? frames : frames.slice(0, end)).filter(isUserFrame);
  return shown.slice(0, MOST_FRAMES).join("\n") || undefined;
}

/** One line of a failure, and the call that is to blame, if that is known. */
export interface Culprit {
  readonly text: string;
  readonly site?: Error | undefined;
}

/** Returns the lines of a list, each with the stack that leads to its culprit. */
export function list(culprits: readonly Culprit[]): string {
  return culprits
    .map(({ text, site }) => [`- ${text}`, programStack(site)].filter(Boolean).join("\n"))
    .join("\n");
}

/** Returns the advice to turn development mode on, if it is off and would have named the culprits. */
export function developmentHint(): string {
  return isDevelopment()
    ? ""
    : "\nTo see the code that started it, run the tests with EIGHTYSIX_DEV=1.";
}

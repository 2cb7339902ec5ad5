/** Stacks that begin at the code of the program, for development mode. */
import { isLimitWritable, limits } from "./errors.ts";

/** Most of the frames of a call may be those of this package, and V8 records ten by default. */
const MOST_FRAMES = 50;

/** Returns an error whose stack leads to the caller. `userStack` formats it. */
export function recordStack(): Error {
  const { stackTraceLimit } = limits;
  if (isLimitWritable) limits.stackTraceLimit = MOST_FRAMES;
  const error = new Error();
  if (isLimitWritable) limits.stackTraceLimit = stackTraceLimit;
  return error;
}

/** Returns the frames of `error` from the first one on that is in the program, or `undefined`. */
export function userStack(error: Error): string | undefined {
  const frames = (error.stack ?? "").split("\n").slice(1);
  const first = frames.findIndex(isUserFrame);
  return first < 0 ? undefined : frames.slice(first).join("\n");
}

/**
 * The folder of this package, as stacks show it. It is empty if a bundler has put the package into a
 * file of the program. (Bundlers that write CommonJS warn of `import.meta.url`.)
 */
let root: string | undefined;

/** Returns the folder of this package, as stacks show it, or "" if it is part of a bundle. */
export function packageRoot(): string {
  return (root ??=
    /([^\s(]*[\\/])core[\\/]user-stack\.[jt]s:\d/.exec(new Error().stack ?? "")?.[1] ?? "");
}

/** Returns whether a frame of a stack is in the program, and not in this package or in Node. */
export function isUserFrame(frame: string): boolean {
  const own = packageRoot() || "node:";
  return !frame.includes(own) && !frame.includes("node:") && /:\d+:\d+\)?$/.test(frame);
}

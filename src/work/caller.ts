/** In development mode: which code of the program has called a function of this package or a driver. */
import { isLimitWritable, limits } from "../core/errors.ts";
import { packageRoot, userStack as stackFromUser } from "../core/user-stack.ts";

export type AnyFunction = (...args: never[]) => unknown;

/** The end of a frame that is in a file. `Array.map (<anonymous>)` is in none. */
export const POSITION = /:\d+:\d+\)?$/;

/** The frames of Node between a driver and a subscriber of its channel. */
const PUBLISHING = /node:(?:internal\/)?(?:diagnostics_channel|async_)/;

/** The most frames that are recorded: those of a driver or of a framework may be many. */
const MOST_FRAMES = 50;

/**
 * Returns the stack from the caller of `called` to the program's last own frame, if that caller is code of the program. `called` is
 * a function that runs at the moment. Frames that `isSkipped` accepts do not count as the caller.
 *
 * Returns `undefined` if the caller is a package, this one included, or a part of Node such as a stream
 * that reads on. Returns `undefined` as well if the caller is not known: it is behind an `await`, or a
 * bundler has put this package into a file of the program.
 */
export function callerOf(
  called: AnyFunction,
  isSkipped: (frame: string) => boolean = () => false,
): string | undefined {
  const root = packageRoot();
  if (root === "") return undefined;
  const frames = framesAbove(called);
  for (const [i, frame] of frames.entries()) {
    if (/^\s*at async /.test(frame)) return undefined;
    if (!POSITION.test(frame) || PUBLISHING.test(frame) || isSkipped(frame)) continue;
    if (frame.includes("node:") || frame.includes(root) || isOfPackage(frame)) return undefined;
    return joinFrames(frames.slice(i));
  }
  return undefined;
}

/**
 * Returns the frames of `error` from the first one outside this package and Node on, or `undefined`. What
 * lies below the program's last own frame, such as a framework, is left out.
 */
export function userStack(error: Error): string | undefined {
  const stack = stackFromUser(error);
  return stack === undefined ? undefined : joinFrames(stack.split("\n"));
}

/** Joins frames up to the last one of the program, or all of them if none is of the program. */
function joinFrames(frames: string[]): string {
  let end = frames.length;
  while (end > 0 && framesOfProgram(frames[end - 1] as string) === "") end--;
  return frames.slice(0, end || frames.length).join("\n");
}

/** Returns the first line of a stack, which identifies the call site. */
export function siteOf(stack: string): string {
  return stack.split("\n", 1)[0] ?? "";
}

/** Returns the frames of a stack that are neither of Node nor of a package. */
export function framesOfProgram(stack: string): string {
  const isOfProgram = (frame: string): boolean =>
    POSITION.test(frame) && !frame.includes("node:") && !isOfPackage(frame);
  return stack.split("\n").filter(isOfProgram).join("\n");
}

/**
 * Returns the frames of `error` from the first one outside this package on, or `undefined` if none of
 * them is of the program.
 */
export function programStack(error: Error): string | undefined {
  const stack = userStack(error);
  return stack === undefined || framesOfProgram(stack) === "" ? undefined : stack;
}

/** Returns whether a frame is in a folder of this package, such as "core". */
export function isInFolder(frame: string, folder: string): boolean {
  const root = packageRoot();
  return root !== "" && frame.includes(`${root}${folder}${root.at(-1)}`);
}

/** Returns whether a frame is in the package `name`, or in any package. */
export function isOfPackage(frame: string, name = ""): boolean {
  return frame.replaceAll("\\", "/").includes(`/node_modules/${name}`);
}

function framesAbove(called: AnyFunction): string[] {
  const { stackTraceLimit } = limits;
  if (isLimitWritable) limits.stackTraceLimit = MOST_FRAMES;
  const holder: { stack?: string } = {};
  (Error as unknown as CapturingError).captureStackTrace?.(holder, called);
  if (isLimitWritable) limits.stackTraceLimit = stackTraceLimit;
  return (holder.stack ?? "").split("\n").slice(1);
}

interface CapturingError {
  captureStackTrace?: (target: object, above: AnyFunction) => void;
}

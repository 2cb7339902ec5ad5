import { isLimitWritable, limits } from "../core/errors.ts";

/**
 * The cause with which `race`, `any` and `hedge` cancel the tasks that another task made
 * unnecessary. It is the `cause` of a context's error, and is never thrown itself. Its `stack` names no
 * code, because the code that created it is not at fault.
 */
export class Superseded extends Error {
  /** A stable code, for programs that compare strings. */
  readonly code = "ERR_SUPERSEDED";

  constructor() {
    super("another task was first");
    this.name = "Superseded";
    this.stack = "Superseded: another task was first";
  }
}

/** Returns a new `Superseded`. Records no trace, because that would be most of the cost of a race. */
export function superseded(): Superseded {
  const limit = limits.stackTraceLimit;
  if (isLimitWritable) limits.stackTraceLimit = undefined;
  try {
    return new Superseded();
  } finally {
    if (isLimitWritable) limits.stackTraceLimit = limit;
  }
}

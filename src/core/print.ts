/** Prints contexts for logs. It never reads `.signal` and never shows a secret. */
import type { Context } from "./context.ts";
import { classOf } from "./show.ts";

/** The method that says how a context was derived. Two copies of the package share the symbol. */
export const DESCRIBE: unique symbol = Symbol.for("eightysix.describe") as never;

/** A context of this package, or of a second copy of it. */
interface Described extends Context {
  readonly parent: Context | undefined;
  [DESCRIBE](): string;
}

/** How many contexts of a chain are shown, from the innermost outwards. The outermost is always shown. */
const MOST = 50;

/** Prints a context as Go does: `context.Background.WithCancel.WithValue(requestId, r-1)`. */
export function printContext(ctx: Described): string {
  const parts: string[] = [];
  let left = 0;
  let at: Context | undefined = ctx;
  let outermost: Context = ctx;
  for (; at !== undefined; at = isDescribed(at) ? at.parent : undefined) {
    if (parts.length < MOST) parts.push(name(at));
    else left++;
    outermost = at;
  }
  if (left > 1) parts.push(`(${left - 1} more)`);
  if (left > 0) parts.push(name(outermost));
  return parts.reverse().join(".");
}

function isDescribed(ctx: Context): ctx is Described {
  return typeof (ctx as Partial<Described>)[DESCRIBE] === "function";
}

/**
 * Prints a foreign context as the name of its class, because its `toString` could show a secret.
 */
function name(ctx: Context): string {
  return isDescribed(ctx) ? ctx[DESCRIBE]() : (classOf(ctx) ?? "context");
}

/** Prints a context as `Context <…: live>`, or with the error's message in place of `live`. */
export function inspectContext(ctx: Described): string {
  const err = ctx.err();
  const state = err === undefined ? "live" : err.message;
  return `Context <${printContext(ctx)}: ${state}>`;
}

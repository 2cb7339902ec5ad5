/** How contexts read in logs. Never reads `.signal`, never shows a secret. */
import type { Context } from "./context.ts";
import { classOf } from "./show.ts";

/** How a context was derived, in Go's words. By brand: two copies of the package can meet. */
export const DESCRIBE: unique symbol = Symbol.for("eightysix.describe") as never;

/** What our own contexts can say of themselves. */
interface Described extends Context {
  readonly parent: Context | undefined;
  [DESCRIBE](): string;
}

/** The most contexts of a chain that are named, counted from the innermost. */
const MOST = 50;

/** As in Go: `context.Background.WithCancel.WithValue(requestId, r-1)`. */
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

/** A foreign context by its class: its own `toString` could show what it likes. */
function name(ctx: Context): string {
  return isDescribed(ctx) ? ctx[DESCRIBE]() : (classOf(ctx) ?? "context");
}

/** `Context <… live>`, or the reason in place of `live`. */
export function inspectContext(ctx: Described): string {
  const err = ctx.err();
  const state = err === undefined ? "live" : err.message;
  return `Context <${printContext(ctx)}: ${state}>`;
}

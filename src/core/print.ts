/** How contexts read in logs. Never reads `.signal`, never shows a secret. */
import type { Context } from "./context.ts";

/** What our own contexts can say of themselves. */
interface Described extends Context {
  readonly parent: Context | undefined;
  describe(): string;
}

/** As in Go: `context.Background.WithCancel.WithValue(requestId, r-1)`. */
export function printContext(ctx: Described): string {
  const parts: string[] = [];
  let at: Context | undefined = ctx;
  while (at !== undefined && isDescribed(at)) {
    parts.push(at.describe());
    at = at.parent;
  }
  if (at !== undefined) parts.push(foreignName(at));
  return parts.reverse().join(".");
}

function isDescribed(ctx: Context): ctx is Described {
  return typeof (ctx as Partial<Described>).describe === "function";
}

/** A foreign context by its class: its own `toString` could show what it likes. */
function foreignName(ctx: Context): string {
  const { constructor } = ctx as { constructor?: { name?: unknown } };
  return typeof constructor?.name === "string" ? constructor.name : "context";
}

/** `Context <… live>`, or the reason in place of `live`. */
export function inspectContext(ctx: Described): string {
  const err = ctx.err();
  const state = err === undefined ? "live" : err.message;
  return `Context <${printContext(ctx)}: ${state}>`;
}

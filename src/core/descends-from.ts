import type { Context } from "./context.ts";
import { scopeOf } from "./foreign.ts";
import type { Scope } from "./tree.ts";

/**
 * Returns whether `ctx` is `ancestor`, or was derived from it so that it ends with it. Of a context
 * with several parents, only the first counts.
 */
export function descendsFrom(ctx: Context, ancestor: Context): boolean {
  if (ctx === ancestor) return true;
  const top = scopeOf(ancestor);
  return top !== undefined && isAtOrBelow(scopeOf(ctx), top);
}

/** Returns whether `scope` is `top` or lies below it. Only first parents count. */
export function isAtOrBelow(scope: Scope | undefined, top: Scope): boolean {
  let at = scope;
  while (at !== undefined && at !== top) at = at.parent;
  return at === top;
}
